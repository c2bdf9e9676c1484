package grants

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// prefix is the start of every object's name.
const prefix = "sysctl-injector"

// maxNameLength is the limit of object names (k8s.io/apimachinery pkg/util/validation, DNS1123SubdomainMaxLength).
// RBAC names may be longer, but some tools expect this limit.
const maxNameLength = 253

// clusterRoleName is the name of the role for a sysctl. A "/", which stands for a dot in an interface's name, is a
// ":" there: the API server allows no "/" in a name, and no sysctl has a ":".
func clusterRoleName(sysctl string) string {
	return fit(prefix + ":" + strings.ReplaceAll(sysctl, "/", ":"))
}

func roleBindingName(clusterRole, serviceAccount string) string {
	return fit(clusterRole + ":" + serviceAccount)
}

// podSecurityPolicyName makes a DNS name from the sysctls, as PodSecurityPolicies require. It adds
// a hash of the sysctls if two sets could get the same name: if a character is replaced, if a sysctl contains "-",
// and if the name is too long.
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

func notKeptInDNS(r rune) bool { return r == '-' || r == '/' || r == '_' || 'A' <= r && r <= 'Z' }

// dns turns a text that resembles a DNS name into one: no label begins or ends with "-", and none is empty.
func dns(text string) string {
	labels := strings.Split(strings.NewReplacer("_", "-", "/", "-").Replace(strings.ToLower(text)), ".")
	for i, label := range labels {
		labels[i] = strings.Trim(label, "-")
	}
	return strings.Join(slices.DeleteFunc(labels, func(label string) bool { return label == "" }), ".")
}

// fit shortens a name that is too long, and appends a hash of the whole name. No other name contains two colons in a
// row, so no short name can equal a shortened one.
func fit(name string) string {
	if len(name) <= maxNameLength {
		return name
	}
	suffix := "::" + hash(name)
	return name[:maxNameLength-len(suffix)] + suffix
}

// hash is ten hexadecimal digits: two names collide with a probability of one in 10^12.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:10]
}
