package sysctl

import "slices"

// Suggest returns the known name that is one typo away from a name: one character added, missing, wrong, or swapped
// with the next. It returns "" if no name or several names are.
func Suggest(name string) string {
	var found []string
	for known := range spelledOut {
		if isOneTypo(name, known) && !slices.Contains(found, known) {
			found = append(found, known)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// isOneTypo reports whether one edit turns a into b.
func isOneTypo(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return a[i+1:] == b[i+1:] || swapped
}
