package grants

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// prefix begins the name of every object.
const prefix = "sysctl-injector"

// maxNameLength of an object (k8s.io/apimachinery pkg/util/validation, DNS1123SubdomainMaxLength). RBAC names may be longer,
// but are kept within it too, so that every tool can carry them.
const maxNameLength = 253

func clusterRoleName(sysctl string) string {
	return fit(prefix + ":" + sysctl)
}

func roleBindingName(clusterRole, serviceAccount string) string {
	return fit(clusterRole + ":" + serviceAccount)
}

// podSecurityPolicyName makes a DNS name of the sysctls, since a PodSecurityPolicy's name has to be one. A hash of the sysctls
// keeps two sets apart whose names would read the same: where a character had to be replaced, where a sysctl has a "-" of its
// own, and where the name is too long.
func podSecurityPolicyName(sysctls []string, injected bool) string {
	words := append([]string{prefix}, sysctls...)
	if injected {
		words = append(words, "injected")
	}
	name := strings.Join(words, "-")
	if len(name) <= maxNameLength && !strings.ContainsFunc(strings.Join(sysctls, ""), notKeptInDNS) {
		return name
	}
	suffix := "-" + hash(strings.Join(words, " "))
	name = dns(name)
	name = name[:min(len(name), maxNameLength-len(suffix))]
	return strings.TrimRight(name, "-.") + suffix
}

func notKeptInDNS(r rune) bool { return r == '-' || r == '_' || 'A' <= r && r <= 'Z' }

// dns makes a DNS name of a text that looks like one: no label of it begins or ends with "-", and none is empty.
func dns(text string) string {
	labels := strings.Split(strings.ReplaceAll(strings.ToLower(text), "_", "-"), ".")
	for i, label := range labels {
		labels[i] = strings.Trim(label, "-")
	}
	return strings.Join(slices.DeleteFunc(labels, func(label string) bool { return label == "" }), ".")
}

// fit shortens a name that is too long, and puts a hash of the whole name behind what is left. The two colons are in no other
// name, so that no short one can be made to look like it.
func fit(name string) string {
	if len(name) <= maxNameLength {
		return name
	}
	suffix := "::" + hash(name)
	return name[:maxNameLength-len(suffix)] + suffix
}

// hash is ten hexadecimal digits: two names meet by chance once in a million million.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:10]
}
