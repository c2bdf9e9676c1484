package grants

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A binding's change concerns its namespace, and a role's change all namespaces.
func TestForget(t *testing.T) {
	need := hashOf(batch)
	for _, test := range []struct {
		forget     string
		shop, jobs bool
	}{
		{"shop", false, true},
		{"elsewhere", true, true},
		{"", false, false},
	} {
		s := newSettled()
		s.add("shop", need, 0)
		s.add("jobs", need, 0)
		s.forget(test.forget)
		if shop, jobs := s.has("shop", need), s.has("jobs", need); shop != test.shop || jobs != test.jobs {
			t.Errorf("after forget(%q): shop %t, jobs %t", test.forget, shop, jobs)
		}
	}
}

func TestHashOf(t *testing.T) {
	base := Need{ServiceAccount: "web", Sysctls: []string{"kernel.sem", "net.core.somaxconn"}}
	reordered := base
	reordered.Sysctls = []string{"net.core.somaxconn", "kernel.sem"}
	if hashOf(base) != hashOf(reordered) {
		t.Error("the order of the sysctls counts")
	}
	for _, other := range []Need{
		{ServiceAccount: "jobs", Sysctls: base.Sysctls},
		{ServiceAccount: "web", Sysctls: []string{"kernel.sem"}},
		{ServiceAccount: "web", Sysctls: []string{"kernel.sem"}, NativeSysctls: []string{"net.core.somaxconn"}},
		{ServiceAccount: "web", NativeSysctls: base.Sysctls},
		{ServiceAccount: "web", Sysctls: []string{"kernel.sem/net.core.somaxconn"}},
		{ServiceAccount: "web", Sysctls: []string{"kernel.sem net.core.somaxconn"}},
	} {
		if hashOf(base) == hashOf(other) {
			t.Errorf("%v counts as %v", other, base)
		}
	}
}

// A pod author asks for the same grants in ever other subsets and orders. Each pod may then be rejected by a quota:
// what is remembered stays within its bound, and no call is made.
func TestMemoryIsBounded(t *testing.T) {
	all := []string{
		"net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_retries1", "net.ipv4.tcp_retries2",
		"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "kernel.sem",
		"kernel.shmmax", "kernel.shmall", "kernel.shmmni",
	}
	g, counted := newGranter(t, nil,
		grantsOf(t, Need{Namespace: "shop", ServiceAccount: "web", Sysctls: all}, time.Hour)...)
	most := 0
	for subset := 1; subset < 1<<len(all); subset++ {
		need := Need{Namespace: "shop", ServiceAccount: "web"}
		for i, name := range all {
			if subset&(1<<i) != 0 {
				need.Sysctls = append(need.Sysctls, name)
			}
		}
		g.settled.add(need.Namespace, hashOf(need), 0)
		slices.Reverse(need.Sysctls)
		if !g.settled.has(need.Namespace, hashOf(need)) {
			t.Fatal(fmt.Sprint(need.Sysctls), " is not remembered")
		}
		most = max(most, len(g.settled.byNamespace["shop"]))
		if g.settled.size != len(g.settled.byNamespace["shop"]) {
			t.Fatalf("size is %d for %d entries", g.settled.size, len(g.settled.byNamespace["shop"]))
		}
	}
	if most != maxSettled {
		t.Errorf("%d needs are remembered, want at most %d", most, maxSettled)
	}
	if err := g.Ensure(t.Context(), Need{Namespace: "shop", ServiceAccount: "web", Sysctls: all}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(calls{}, *counted); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
