package inspect

import (
	"math"
	"slices"
)

// Backends of grants, one for each admission mechanism. Package grants has the same list.
const (
	backendVAP = "vap"
	backendPSP = "psp"
)

// Feature is a feature that not every version of Kubernetes has.
type Feature struct {
	Name          string
	Effect        string   // what happens without it
	since, before uint     // minor versions
	backends      []string // backends of grants that need it; empty: all
}

var features = []Feature{
	{
		Name: "matchConditions", since: 28, before: math.MaxUint,
		Effect: "the webhook is called for every pod in enrolled namespaces, and while it is down all of them are " +
			"rejected",
	},
	{
		Name: "ValidatingAdmissionPolicy", since: 30, before: math.MaxUint,
		Effect: "there is no guard: no standard is enforced for the other containers in enrolled namespaces, and " +
			"nothing limits what the server may write",
	},
	{
		Name: "ValidatingAdmissionPolicy", since: 30, before: math.MaxUint, backends: []string{backendVAP},
		Effect: "nothing in the cluster requires the grants of the backend vap; on Kubernetes 1.24 and earlier use " +
			"psp, on OpenShift scc",
	},
	{
		Name: "PodSecurityPolicy", before: 25, backends: []string{backendPSP},
		Effect: "grants of the backend psp cannot be applied; use vap, or on OpenShift scc",
	},
}

// Lacking returns the features that a minor version lacks and grants by a backend need.
func Lacking(minor uint, backend string) []Feature {
	var missing []Feature
	for _, f := range features {
		needed := len(f.backends) == 0 || slices.Contains(f.backends, backend)
		if needed && (minor < f.since || minor >= f.before) {
			missing = append(missing, f)
		}
	}
	return missing
}
