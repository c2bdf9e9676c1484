package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// image is what is known about an image by its name.
type image struct {
	busybox bool // its sysctl command is busybox's
	procps  bool // its sysctl command is that of procps, if there is one
	// oldBusybox is set if that sysctl command may know neither -q nor `sysctl name=value` without -w.
	oldBusybox bool
	// official is set for an image of the Docker library, which has no entrypoint and whose user is root. Images of
	// the same name from elsewhere may have both: hardened ones run as another user.
	official bool
}

// imageOf recognizes images of the Docker library, and others of the same name.
func imageOf(reference string) image {
	reference, _, _ = strings.Cut(reference, "@")
	dir, name := path.Split(reference)
	name, tag, _ := strings.Cut(name, ":")
	busybox := isWord(name, "busybox alpine")
	procps := isWord(name, "debian ubuntu centos fedora rockylinux almalinux amazonlinux")
	official := slices.Contains([]string{"", "library/", "docker.io/"}, dir) || strings.HasSuffix(dir, "/library/")
	return image{
		busybox: busybox, procps: procps, official: official && (busybox || procps),
		oldBusybox: name == "busybox" && isOlder(tag, 33) || name == "alpine" && isOlder(tag, 14),
	}
}

// isOlder reports whether a tag such as 1.28-glibc names an older minor version. A tag without a version is that of a
// recent image.
func isOlder(tag string, minor int) bool {
	words := strings.FieldsFunc(tag, func(r rune) bool { return r < '0' || r > '9' })
	if len(words) < 2 || tag[0] < '0' || tag[0] > '9' {
		return false
	}
	n, err := strconv.Atoi(words[1])
	return err == nil && n < minor
}
