package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/trial"
)

// Two servers count for one policy, and write only what has changed.
func TestStatusOfATrial(t *testing.T) {
	start := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	now := start
	clock := func() time.Time { return now }
	p := &v1alpha1.SysctlPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "narrow", UID: "1", Generation: 1},
		Spec:       v1alpha1.SysctlPolicySpec{ValidationActions: []v1alpha1.ValidationAction{v1alpha1.Audit}},
	}
	a := &trials{counter: trial.NewCounter(clock), server: "a", now: clock}
	b := &trials{counter: trial.NewCounter(clock), server: "b", now: clock}
	at := func(since time.Duration) metav1.Time { return metav1.NewTime(start.Add(since)) }
	writes := func(what string, by *trials, want *v1alpha1.Trial) {
		t.Helper()
		p.Status.Trial = by.status(p)
		if diff := cmp.Diff(want, p.Status.Trial); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	first := &v1alpha1.Trial{Servers: []v1alpha1.TrialServer{{Name: "a", Since: at(0), Until: at(0)}}}
	writes("at first", a, first)
	now = start.Add(time.Minute)
	writes("nothing has changed", a, first)

	a.counter.Add([]string{"narrow"})
	b.counter.Add([]string{"narrow"})
	b.counter.Add([]string{"narrow"})
	writes("a counts", a, &v1alpha1.Trial{WouldReject: 1,
		Servers: []v1alpha1.TrialServer{{Name: "a", Since: at(0), Until: at(time.Minute), WouldReject: 1}}})
	both := &v1alpha1.Trial{WouldReject: 3, Servers: []v1alpha1.TrialServer{
		{Name: "a", Since: at(0), Until: at(time.Minute), WouldReject: 1},
		{Name: "b", Since: at(time.Minute), Until: at(time.Minute), WouldReject: 2},
	}}
	writes("b counts too", b, both)
	writes("a has nothing new", a, both)

	// Server a is gone. Its count stays for a day.
	now = start.Add(23 * time.Hour)
	writes("within the day", b, &v1alpha1.Trial{WouldReject: 3, Servers: []v1alpha1.TrialServer{
		{Name: "a", Since: at(0), Until: at(time.Minute), WouldReject: 1},
		{Name: "b", Since: at(time.Minute), Until: at(23 * time.Hour), WouldReject: 2},
	}})
	now = start.Add(25 * time.Hour)
	writes("after the day", b, &v1alpha1.Trial{Servers: []v1alpha1.TrialServer{{Name: "b", Since: at(2 * time.Hour),
		Until: at(25 * time.Hour)}}})

	// A change of a policy resets its count. A policy in force has no trial.
	b.counter.Add([]string{"narrow"})
	p.Generation = 2
	writes("of the changed policy", b, &v1alpha1.Trial{Servers: []v1alpha1.TrialServer{{Name: "b",
		Since: at(25 * time.Hour), Until: at(25 * time.Hour)}}})
	p.Spec.ValidationActions = []v1alpha1.ValidationAction{v1alpha1.Deny}
	writes("of a policy in force", b, nil)
}

// The list of servers stays as short as the API requires.
func TestStatusOfATrialWithManyServers(t *testing.T) {
	start := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	now := start
	p := &v1alpha1.SysctlPolicy{
		Spec: v1alpha1.SysctlPolicySpec{ValidationActions: []v1alpha1.ValidationAction{v1alpha1.Warn}},
	}
	for i := range 2 * maxTrialServers {
		now = start.Add(time.Duration(i) * time.Minute)
		clock := func() time.Time { return now }
		server := &trials{counter: trial.NewCounter(clock), server: fmt.Sprintf("s%02d", i), now: clock}
		p.Status.Trial = server.status(p)
	}
	servers := p.Status.Trial.Servers
	if len(servers) != maxTrialServers || servers[0].Name != "s32" || servers[maxTrialServers-1].Name != "s63" {
		t.Errorf("%d servers: %v", len(servers), servers)
	}
}

// Without its trial, the status is empty. The API server keeps the former status of an update without any.
func TestAnEmptyStatusIsSent(t *testing.T) {
	encoded, err := json.Marshal(v1alpha1.SysctlPolicy{})
	if err != nil || !strings.Contains(string(encoded), `"status":{}`) {
		t.Errorf("%s, %v", encoded, err)
	}
}
