package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// image has the facts that follow from the name of an image.
type image struct {
	busybox bool // its sysctl command is that of busybox
	procps  bool // its sysctl command is that of procps, if it has one
	// oldBusybox is set if the sysctl command may support neither -q nor `sysctl name=value` without -w.
	oldBusybox bool
	// official is set for an image of the Docker library, which has no entrypoint and runs as root. Other images of the
	// same name may have an entrypoint, or run as another user, as hardened images do.
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

// isOlder reports whether a tag such as 1.28-glibc has an older minor version. It takes a tag without a version for
// that of a recent image.
func isOlder(tag string, minor int) bool {
	words := strings.FieldsFunc(tag, func(r rune) bool { return r < '0' || r > '9' })
	if len(words) < 2 || tag[0] < '0' || tag[0] > '9' {
		return false
	}
	n, err := strconv.Atoi(words[1])
	return err == nil && n < minor
}
