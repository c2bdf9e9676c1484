package grants

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/sets"
)

func TestLimits(t *testing.T) {
	names := func(from, to int) sets.Set[string] {
		all := sets.New[string]()
		for n := from; n < to; n++ {
			all.Insert(fmt.Sprint("role-", n))
		}
		return all
	}
	type step struct {
		after         time.Duration
		namespace     string
		bound, wanted sets.Set[string]
		want          string // the reason of the rejection
	}
	for _, test := range []struct {
		name   string
		limits Limits
		steps  []step
	}{
		{"as many names as there may be", Limits{4, 100}, []step{{0, "shop", names(0, 2), names(2, 4), ""}}},
		{"one name too many", Limits{4, 100}, []step{{0, "shop", names(0, 2), names(2, 5), ReasonTooManySysctls}}},
		{"names that others in the namespace have", Limits{4, 100}, []step{{0, "shop", names(0, 9), names(0, 9), ""}}},
		{"names that the cache does not show yet", Limits{4, 100}, []step{
			{0, "shop", nil, names(0, 4), ""},
			{0, "shop", nil, names(4, 5), ReasonTooManySysctls},
			{0, "jobs", nil, names(4, 5), ""},
		}},
		{"names whose grants failed", Limits{4, 100}, []step{
			{0, "shop", nil, names(0, 4), ""},
			{settleAge + time.Second, "shop", nil, names(4, 8), ""},
		}},
		{"grants within a minute", Limits{100, 6}, []step{
			{0, "shop", nil, names(0, 4), ""},
			{0, "shop", nil, names(4, 7), ReasonTooManyGrants},
			{0, "shop", nil, names(4, 6), ""},
			{0, "shop", nil, nil, ReasonTooManyGrants}, // waiting for recent grants counts too
			{0, "jobs", nil, names(0, 6), ""},
			{10 * time.Second, "shop", nil, names(6, 7), ""},
			{0, "shop", nil, names(7, 8), ReasonTooManyGrants},
		}},
		{"a rejection takes nothing from the limits", Limits{4, 6}, []step{
			{0, "shop", nil, names(0, 5), ReasonTooManySysctls},
			{0, "shop", nil, names(0, 5), ReasonTooManySysctls},
			{0, "shop", nil, names(0, 4), ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, clock := newUsage(test.limits), now
			for n, step := range test.steps {
				clock = clock.Add(step.after)
				got := ""
				var rejected *RejectedError
				err := u.begin(clock, step.namespace, step.bound, step.wanted, len(step.wanted))
				if err == nil {
					err = u.add(clock, step.namespace, step.bound, step.wanted, len(step.wanted))
				}
				if errors.As(err, &rejected) {
					got = rejected.Reason
				}
				if got != step.want {
					t.Errorf("step %d: reason %q, want %q", n, got, step.want)
				}
			}
		})
	}
}

// A namespace that has had nothing granted for a while takes no memory.
func TestUsageIsForgotten(t *testing.T) {
	u := newUsage(DefaultLimits())
	for n := range 1000 {
		if err := u.add(now, fmt.Sprint("shop-", n), nil, sets.New("role"), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.add(now.Add(2*time.Minute), "shop", nil, sets.New("role"), 1); err != nil {
		t.Fatal(err)
	}
	if len(u.ofNamespace) != 1 {
		t.Errorf("%d namespaces are remembered, want 1", len(u.ofNamespace))
	}
}

// The service account is looked for before anything is written, and only if something is missing.
func TestServiceAccountMustExist(t *testing.T) {
	nobody := Need{Namespace: "jobs", ServiceAccount: "nobody", Sysctls: batch.Sysctls}
	g, counted := newGranter(t, nil)
	const want = `namespace "jobs" has no service account "nobody", so nothing is granted to it; ` +
		`create the service account first`
	err := g.Ensure(t.Context(), nobody)
	var rejected *RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != ReasonNoServiceAccount || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if diff := cmp.Diff(calls{}, *counted); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	g, _ = newGranter(t, nil, grantsOf(t, nobody, time.Hour)...)
	if err := g.Ensure(t.Context(), nobody); err != nil {
		t.Errorf("although the grants exist: %v", err)
	}
}

// Forged reviews that name a service account which does not exist take no names from the limit of the namespace, and of
// its grants only one each.
func TestUnknownServiceAccountsLeaveTheLimitsToOthers(t *testing.T) {
	g, _ := newGranter(t, nil)
	g.usage.calls = rate.NewLimiter(rate.Every(time.Hour), callBurst) // and they use few calls
	for n := range 10 {
		need := Need{Namespace: "jobs", ServiceAccount: "nobody"}
		for i := range 16 {
			need.Sysctls = append(need.Sysctls, fmt.Sprintf("net.ipv4.conf.eth0/%d.forwarding", 16*n+i+1))
		}
		var rejected *RejectedError
		if err := g.Ensure(t.Context(), need); !errors.As(err, &rejected) || rejected.Reason != ReasonNoServiceAccount {
			t.Fatalf("forged review %d: error %v", n, err)
		}
	}
	most := Need{Namespace: "jobs", ServiceAccount: "default"}
	for i := range 64 {
		most.Sysctls = append(most.Sysctls, fmt.Sprintf("net.ipv4.conf.eth0/%d.rp_filter", i+1))
	}
	if err := g.Ensure(t.Context(), most); err != nil {
		t.Errorf("a pod with as many names as there may be: %v", err)
	}
}

// A limit below what one pod may need would reject that pod forever.
func TestLimitsMustSufficeForOnePod(t *testing.T) {
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{Names: 1, PerMinute: MinPerMinute}, ""},
		{Limits{Names: 0, PerMinute: MinPerMinute}, "grants: Limits: Names must be above zero"},
		{Limits{Names: 1, PerMinute: 16},
			"grants: Limits: PerMinute: 16 is below 17, the number of grants that one pod may need"},
	} {
		got := ""
		if err := test.limits.validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: got %q, want %q", test.limits, got, test.want)
		}
	}
}

// Calls beyond what may be made at once wait, and are given up at once if the wait would take too long.
func TestCallsAreBounded(t *testing.T) {
	g, counted := newGranter(t, nil)
	g.usage.calls = rate.NewLimiter(rate.Every(time.Hour), callBurst)
	if err := g.usage.waitForCalls(context.Background(), callBurst); err != nil {
		t.Fatal(err)
	}
	err := g.Ensure(t.Context(), batch)
	const want = "too many pods of all namespaces need new grants at this moment; try again"
	var rejected *RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != ReasonTooManyGrants || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if diff := cmp.Diff(calls{}, *counted); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
