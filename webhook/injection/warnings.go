package injection

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// recentLinux is the Linux release from which on a sysctl that became per-namespace is worth a warning: nodes with an older
// kernel are still in use.
var recentLinux = version.MustParseGeneric("5.0")

// warnings are what a person at the terminal should know of a pod that is injected. An API server cuts what is long, so each
// is short.
func warnings(facts policy.Facts, settings []policy.Setting) []string {
	var warnings []string
	var safe []string // from which releases
	for _, setting := range settings {
		entry := sysctl.Lookup(setting.Name)
		if w := namespacedSince(facts, entry); w != "" {
			warnings = append(warnings, w)
		}
		if entry.SafeSince != "" {
			safe = append(safe, entry.SafeSince)
		}
	}
	if len(safe) == len(settings) {
		warnings = append(warnings, fmt.Sprintf("%s: safe since Kubernetes %s, so spec.securityContext.sysctls can set it without a privileged "+
			"init container", names(settings), latest(safe)))
	}
	return warnings
}

func latest(versions []string) *version.Version {
	var latest *version.Version
	for _, text := range versions {
		if v := version.MustParseGeneric(text); latest == nil || latest.LessThan(v) {
			latest = v
		}
	}
	return latest
}

func namespacedSince(facts policy.Facts, entry sysctl.Entry) string {
	if entry.NamespacedSince == "" || facts.Kernel == v1alpha1.GuestKernel || version.MustParseGeneric(entry.NamespacedSince).LessThan(recentLinux) {
		return ""
	}
	return fmt.Sprintf("%s: can be set in a pod from Linux %s on; on a node with an older kernel the pod will not start", entry.Name, entry.NamespacedSince)
}

func names(settings []policy.Setting) string {
	all := make([]string, len(settings))
	for i, setting := range settings {
		all[i] = setting.Name
	}
	return strings.Join(all, ", ")
}
