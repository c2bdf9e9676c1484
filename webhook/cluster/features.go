package cluster

import (
	"math"
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// feature is something of Kubernetes that not every version has.
type feature struct {
	name          string
	since, before uint             // minor versions
	backends      []grants.Backend // that need it; none: it is needed whatever the backend
	effect        string           // of its absence
}

var features = []feature{
	{
		name: "matchConditions", since: 28, before: math.MaxUint,
		effect: "the webhook is called for every pod in enrolled namespaces, and while it is down all of them are rejected",
	},
	{
		name: "ValidatingAdmissionPolicy", since: 30, before: math.MaxUint,
		effect: "there is no guard: nothing holds the other containers of enrolled namespaces to a standard, and nothing bounds what this server may write",
	},
	{
		name: "ValidatingAdmissionPolicy", since: 30, before: math.MaxUint, backends: []grants.Backend{grants.ValidatingAdmissionPolicy},
		effect: "nothing in the cluster asks for the grants of the backend vap; on Kubernetes 1.24 and earlier use psp, on OpenShift scc",
	},
	{
		name: "PodSecurityPolicy", before: 25, backends: []grants.Backend{grants.PodSecurityPolicy},
		effect: "grants of the backend psp cannot be applied; use vap, or on OpenShift scc",
	},
}

// lacking returns the features that a minor version lacks and grants by a backend need.
func lacking(minor uint, backend grants.Backend) []feature {
	var missing []feature
	for _, f := range features {
		needed := len(f.backends) == 0 || slices.Contains(f.backends, backend)
		if needed && (minor < f.since || minor >= f.before) {
			missing = append(missing, f)
		}
	}
	return missing
}
