package policy

import (
	"strconv"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// higher returns what meets two settings of one sysctl that both only raise it, with ">=": the higher number of each
// pair. It returns false for any others.
func higher(a, b Setting) (Setting, bool) {
	first, second := strings.Fields(a.Value), strings.Fields(b.Value)
	if a.Operator != sysctl.AtLeast || b.Operator != sysctl.AtLeast || len(first) != len(second) {
		return a, false
	}
	raised := make([]string, len(first))
	for i := range first {
		m, err := strconv.ParseInt(first[i], 10, 64)
		n, otherErr := strconv.ParseInt(second[i], 10, 64)
		if err != nil || otherErr != nil {
			return a, false
		}
		raised[i] = first[i]
		if n > m {
			raised[i] = second[i]
		}
	}
	value := strings.Join(raised, " ")
	if value == b.Value && value != a.Value { // the message about it should name the profile that has this line
		a.Profile, a.Line = b.Profile, b.Line
	}
	a.Value, a.Optional = value, a.Optional && b.Optional
	return a, true
}
