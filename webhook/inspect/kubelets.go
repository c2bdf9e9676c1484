package inspect

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// FindForbidden lists the pods that a kubelet has rejected for a sysctl that it does not allow.
const FindForbidden = "kubectl get pods -A --field-selector status.phase=Failed -o jsonpath=" +
	`'{range .items[?(@.status.reason=="SysctlForbidden")]}` +
	`{.spec.nodeName}{"\t"}{.metadata.namespace}/{.metadata.name}{"\n"}{end}'`

// Kubelet is the version and configuration of a kubelet.
type Kubelet struct {
	Node, Version string
	// AllowedUnsafeSysctls is the field of its configuration.
	AllowedUnsafeSysctls []string
	// Err is the error if its configuration could not be read.
	Err error
}

// JudgeKubelets checks whether all kubelets allow the patterns that an installation declares. If it declares none,
// the check shows the patterns that it could declare.
func JudgeKubelets(declared []string, kubelets []Kubelet) []Check {
	var read, denied, silent []Kubelet
	for _, k := range kubelets {
		switch {
		case k.Err == nil:
			read = append(read, k)
		case isDenied(k.Err):
			denied = append(denied, k)
		default:
			silent = append(silent, k)
		}
	}
	var checks []Check
	for _, pattern := range declared {
		var names []string
		for _, k := range read {
			if !k.allows(pattern) {
				names = append(names, k.Node)
			}
		}
		if len(names) > 0 {
			checks = append(checks, QuestionAllowed.Fail("",
				"kubeletSysctls declares %s, but the kubelets of these nodes do not allow it: %s. "+
					"Pods that get it natively fail there with SysctlForbidden", pattern, list(names)).
				fix(
					"add it to allowedUnsafeSysctls in the configuration of these kubelets, "+
						"or remove it from kubeletSysctls. To find pods that failed:", FindForbidden))
		}
	}
	if len(denied) > 0 {
		checks = append(checks, QuestionAllowed.Unread(configurationOf(denied), denied[0].Err).
			fix(
				"reading it needs the permission to get nodes/proxy. Without it, find the kubelets that do not allow "+
					"a declared sysctl by the pods that they rejected (SysctlForbidden):", FindForbidden))
	}
	if len(silent) > 0 { // of a node that is down, for example
		checks = append(checks, QuestionAllowed.Warn("", "%s could not be read: %v", configurationOf(silent),
			silent[0].Err).
			fix("see whether the nodes are ready:", "kubectl get nodes"))
	}
	switch common := allowedByAll(read); {
	case len(checks) > 0 || len(read) == 0:
		return checks
	case len(declared) > 0:
		return []Check{QuestionAllowed.Pass("form native: all kubelets allow the declared kubeletSysctls: %s",
			strings.Join(declared, ", "))}
	case len(common) > 0:
		return []Check{QuestionAllowed.Pass("form native: all kubelets allow %s, which kubeletSysctls may declare",
			strings.Join(common, ", "))}
	}
	return []Check{QuestionAllowed.Pass(
		"form native: no unsafe sysctl is allowed on all kubelets, and kubeletSysctls declares none")}
}

func configurationOf(kubelets []Kubelet) string {
	var nodes []string
	for _, k := range kubelets {
		nodes = append(nodes, k.Node)
	}
	return "the configuration of the kubelets of " + list(nodes)
}

// allows reports whether a kubelet allows every name that a pattern matches.
func (k Kubelet) allows(pattern string) bool {
	if since := sysctl.Lookup(pattern).SafeSince; since != "" && !isOlder(k.Version, version.MustParseGeneric(since)) {
		return true
	}
	return slices.ContainsFunc(k.AllowedUnsafeSysctls,
		func(allowed string) bool { return covers(sysctl.Dotted(allowed), pattern) })
}

// covers reports whether a kubelet's pattern matches every name that another one matches.
func covers(allowed, pattern string) bool {
	prefix, isPrefix := strings.CutSuffix(allowed, "*")
	if !isPrefix {
		return allowed == pattern
	}
	return strings.HasPrefix(strings.TrimSuffix(pattern, "*"), prefix)
}

// allowedByAll returns the patterns that every kubelet covers, without those that a shorter one covers.
func allowedByAll(kubelets []Kubelet) []string {
	candidates := sets.New[string]()
	for _, k := range kubelets {
		for _, allowed := range k.AllowedUnsafeSysctls {
			candidates.Insert(sysctl.Dotted(allowed))
		}
	}
	common := slices.DeleteFunc(sets.List(candidates), func(pattern string) bool {
		return slices.ContainsFunc(kubelets, func(k Kubelet) bool { return !k.allows(pattern) })
	})
	return slices.DeleteFunc(slices.Clone(common), func(pattern string) bool {
		return slices.ContainsFunc(common,
			func(other string) bool { return other != pattern && covers(other, pattern) })
	})
}
