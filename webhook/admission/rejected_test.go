package admission

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// A rejection is reported with the pod's controller and the reason. A dry run and an admitted pod are not reported.
func TestRejectedIsTold(t *testing.T) {
	owned := strings.Replace(annotatedPod, `{"kind":"ReplicaSet"`,
		`{"kind":"Site","name":"shop"},{"apiVersion":"apps/v1","uid":"5d4","kind":"ReplicaSet"`, 1)
	onTheHost := strings.Replace(owned, `"spec":{`, `"spec":{"hostNetwork":true,`, 1)
	const message = "HostNetwork: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: " +
		"net.core.somaxconn would change the node: " +
		"the pod shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the sysctl"
	for _, test := range []struct {
		name, body string
		want       []Rejection
	}{
		{"a pod of a controller", reviewOf(onTheHost), []Rejection{{
			Namespace: "shop", Owner: pod.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4", UID: "5d4"},
			Reason: "HostNetwork", Message: message,
		}}},
		{"a review without a pod", reviewOf("null"), []Rejection{{Namespace: "shop", Reason: "Misdirected",
			Message: "Misdirected: this webhook decides on the creation of pods only, and was asked about a pod " +
				"without a namespace or without an object; correct the rules of the MutatingWebhookConfiguration"}}},
		{"a dry run", strings.Replace(reviewOf(onTheHost), `"dryRun":false`, `"dryRun":true`, 1), nil},
		{"a pod that is admitted", reviewOf(owned), nil},
		{"what is no review", "{}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			var reported []Rejection
			f.handler.Rejected = func(rejection Rejection) { reported = append(reported, rejection) }
			f.post(test.body)
			if diff := cmp.Diff(test.want, reported); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

// The pod is rejected either way, and the pods after it are still answered.
func TestSurvivesAPanicOfWhoIsTold(t *testing.T) {
	f := newFixture(t)
	f.handler.Rejected = func(Rejection) { panic("a bug") }
	for range 2 {
		f.log.Reset()
		f.post(reviewOf("null"))
		if !strings.Contains(f.log.String(), `"cause":"a bug"`) {
			t.Errorf("log:\n%s", f.log)
		}
	}
}

// panicking is a Granter in one of whose goroutines there was a panic.
type panicking struct{}

func (panicking) Ensure(context.Context, grants.Need) error {
	return &grants.PanicError{Cause: "a bug", Stack: []byte("where it was")}
}

// A panic while the pod's grants are seen to is rejected, logged and counted as one in the handler itself.
func TestRejectsWhereGrantsPanic(t *testing.T) {
	f := newFixture(t)
	f.handler.Granter = panicking{}
	response := decode(t, f.post(reviewOf(annotatedPod)))
	if want := "Panic: sysctl-injector met an error of its own; its log says more"; response.Allowed ||
		response.Result.Message != want {
		t.Errorf("allowed %v, %q, want %q", response.Allowed, response.Result.Message, want)
	}
	first, _, _ := strings.Cut(f.log.String(), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	if diff := cmp.Diff(map[string]any{"level": "ERROR", "msg": "Recovered from a panic", "cause": "a bug",
		"stack": "where it was"}, line); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if counted := f.counted(t)["Panic"]; counted != 1 {
		t.Errorf("%g panics are counted", counted)
	}
}
