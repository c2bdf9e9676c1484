package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// A server is ready when every API server admits its init image, and after a minute in any case.
func TestImageGate(t *testing.T) {
	const image, other = "docker.io/library/busybox:1.37", "docker.io/library/busybox:1.36"
	began := time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC)
	long := began.Add(-time.Hour)
	lists := func(changed time.Time, images ...string) any { return imagePolicy{images, changed} }
	absent := apierrors.NewNotFound(schema.GroupResource{Resource: "validatingadmissionpolicies"},
		"sysctl-injector-baseline")
	const missing = `ValidatingAdmissionPolicy "sysctl-injector-baseline" does not list the init image "` + image + `"`
	left := func(seconds int) string {
		return fmt.Sprintf("the guard has just changed: API servers admit the init image %q in %ds at the latest",
			image, seconds)
	}
	type step struct {
		after  time.Duration // since the server began
		answer any           // an imagePolicy or an error
		ready  string        // why not
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"there is no guard", []step{{0, absent, ""}}},
		{"a server starts again, long after the guard changed", []step{{0, lists(long, image), ""}}},
		{"the guard lists several images", []step{{0, lists(long, other, image), ""}}},
		{"the guard changed just before", []step{
			{0, lists(began.Add(-2*time.Second), image), left(3)},
			{2 * time.Second, lists(began.Add(-2*time.Second), image), left(1)},
			{3 * time.Second, lists(began.Add(-2*time.Second), image), ""},
		}},
		{"the guard changes later, by a clock that is behind", []step{
			{0, lists(long, other), missing},
			{9 * time.Second, lists(began.Add(-time.Minute), other, image), left(5)},
			{13 * time.Second, lists(began.Add(-time.Minute), other, image), left(1)},
			{14 * time.Second, lists(began.Add(-time.Minute), other, image), ""},
		}},
		{"the clock of the API server is ahead", []step{
			{0, lists(began.Add(time.Hour), image), left(5)},
			{5 * time.Second, lists(began.Add(time.Hour), image), ""},
		}},
		{"the guard changes and changes back", []step{
			{0, lists(began, image), left(5)},
			{4 * time.Second, lists(began.Add(4*time.Second), other), missing},
			{6 * time.Second, lists(began.Add(6*time.Second), image), left(5)},
			{11 * time.Second, lists(began.Add(6*time.Second), image), ""},
		}},
		{"the guard never lists the image", []step{
			{0, lists(long, other), missing},
			{59 * time.Second, lists(long, other), missing},
			{time.Minute, lists(long, other), ""},
		}},
		{"the API server does not answer", []step{
			{0, errors.New("connection refused"),
				`read ValidatingAdmissionPolicy "sysctl-injector-baseline": connection refused`},
			{10 * time.Second, lists(long, image), ""},
		}},
		{"the API server never answers", []step{
			{59 * time.Second, errors.New("forbidden"),
				`read ValidatingAdmissionPolicy "sysctl-injector-baseline": forbidden`},
			{time.Minute, errors.New("forbidden"), ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var now step
			g := newImageGate(func(context.Context, string) (imagePolicy, error) {
				if err, failed := now.answer.(error); failed {
					return imagePolicy{}, err
				}
				return now.answer.(imagePolicy), nil
			}, image, func() time.Time { return began.Add(now.after) }, slog.New(slog.DiscardHandler))
			g.began = began
			if err := g.Ready(); err == nil {
				t.Error("ready before the guard was read")
			}
			for _, now = range test.steps {
				over := g.look(t.Context())
				var got string
				if err := g.Ready(); err != nil {
					got = err.Error()
				}
				if got != now.ready || over != (got == "") {
					t.Errorf("after %s: over %t, ready %q, want %q", now.after, over, got, now.ready)
				}
			}
		})
	}
}

// The message quotes the API server.
func TestImageGateTellsWhyTheGuardCannotBeRead(t *testing.T) {
	apiServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w,
			`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", `+
				`"message": "you may not", "code": 403}`)
	}))
	t.Cleanup(apiServer.Close)
	g, err := NewImageGate(&rest.Config{Host: apiServer.URL}, "busybox:1.37", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.began = time.Now()
	g.look(t.Context())
	const want = `read ValidatingAdmissionPolicy "sysctl-injector-baseline": you may not`
	if err := g.Ready(); err == nil || err.Error() != want {
		t.Errorf("ready: %v, want %s", err, want)
	}
}

// Both policies have to list the image, and the one that was written last counts.
func TestImageGateReadsBothPolicies(t *testing.T) {
	now := time.Date(2026, time.November, 28, 12, 0, 10, 0, time.UTC)
	var asked []string
	restricted := `["busybox:1.36"]`
	apiServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		images, changed := `["busybox:1.37", "busybox:1.36"]`, "2026-11-28T11:00:00Z"
		if strings.Contains(r.URL.Path, "restricted") {
			images, changed = restricted, "2026-11-28T12:00:07Z"
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w,
			`{"metadata": {"managedFields": [{"time": %q}, {"time": "2026-11-28T12:00:09Z", "subresource": "status"}]},
			"spec": {"variables": [{"name": "images", "expression": %q}, {"name": "violations", "expression": "[]"}]}}`,
			changed, images)
	}))
	t.Cleanup(apiServer.Close)
	g, err := NewImageGate(&rest.Config{Host: apiServer.URL}, "busybox:1.37", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g.now, g.began = func() time.Time { return now }, now
	for _, want := range []string{
		`ValidatingAdmissionPolicy "sysctl-injector-restricted" does not list the init image "busybox:1.37"`,
		`the guard has just changed: API servers admit the init image "busybox:1.37" in 5s at the latest`,
	} {
		g.look(t.Context())
		if err := g.Ready(); err == nil || err.Error() != want {
			t.Errorf("ready: %v, want %s", err, want)
		}
		restricted = `["busybox:1.37"]`
	}
	g.missing, g.listed = false, time.Time{} // as after a restart
	g.look(t.Context())
	if err := g.Ready(); err == nil || !strings.Contains(err.Error(), " in 2s at the latest") {
		t.Errorf("ready: %v, want 2 s left of the 5 s since the restricted policy was written", err)
	}
	const path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/sysctl-injector-"
	if want := path + "baseline?resourceVersion=0"; asked[0] != want {
		t.Errorf("it asks for %s, want %s", asked[0], want)
	}
}
