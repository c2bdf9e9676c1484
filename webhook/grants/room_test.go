package grants

import (
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// needsOf returns needs of live pods, each for the sysctl of another interface.
func needsOf(pods int) []Need {
	var needs []Need
	for n := range pods {
		needs = append(needs, Need{Namespace: "jobs", ServiceAccount: "default",
			Sysctls: []string{fmt.Sprintf("net.ipv4.conf.eth%d.forwarding", n)}})
	}
	return needs
}

// Anyone who may change live pods can make them need any number of grants. The controller keeps the limit on names.
func TestControllerKeepsTheLimitOnNames(t *testing.T) {
	most := DefaultLimits().Names
	for backend, want := range map[Backend]int{
		ValidatingAdmissionPolicy:  2 * most,   // a role and a binding
		SecurityContextConstraints: 2*most + 1, // one of the roles is for the constraints
		PodSecurityPolicy:          3 * most,   // a policy, a role and a binding
	} {
		t.Run(string(backend), func(t *testing.T) {
			g, counted := newGranter(t, nil)
			g.Backend = backend
			c := newController(t, g, &inventory{enrolled: true, needs: needsOf(1000)}, time.Hour)
			for range 2 { // the cache of the second does not show what the first has applied
				counted.Applies = 0
				if _, err := c.Reconcile(t.Context(), requestFor("jobs")); err != nil {
					t.Fatal(err)
				}
				if counted.Applies != want {
					t.Errorf("%d objects are applied, want %d", counted.Applies, want)
				}
			}
		})
	}
}

// At the limit, grants of bound names are still repaired.
func TestControllerRepairsBoundNamesAtTheLimit(t *testing.T) {
	needs := needsOf(100)
	var objects []client.Object
	for n, need := range needs[:DefaultLimits().Names] {
		granted := grantsOf(t, need, time.Hour)
		if n == 0 {
			granted = granted[1:] // without its role
		}
		objects = append(objects, granted...)
	}
	g, counted := newGranter(t, nil, objects...)
	c := newController(t, g, &inventory{enrolled: true, needs: needs}, time.Hour)
	if _, err := c.Reconcile(t.Context(), requestFor("jobs")); err != nil {
		t.Fatal(err)
	}
	if counted.Applies != 1 {
		t.Errorf("%d objects are applied, want only the role that is missing", counted.Applies)
	}
}
