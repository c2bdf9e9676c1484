package events

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// The suite against a real API server shows what a person sees. Here is what takes an answer that it does not give at
// will.

// sink answers with an error, or none.
type sink struct {
	events.EventSink
	err error
}

func (s *sink) Create(_ context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	return event, s.err
}

func (s *sink) Patch(_ context.Context, event *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	return event, s.err
}

func newRecorder(t *testing.T, objects ...client.Object) (*Recorder, *bytes.Buffer) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(appsv1.AddToScheme(scheme), batchv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	r, err := New(Config{
		Reader:     fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		Sink:       &sink{},
		IsEnrolled: func(_ context.Context, namespace string) (bool, error) { return namespace == "shop", nil },
		Metrics:    NewMetrics(prometheus.NewRegistry()),
		Log:        slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, log
}

// under is the metadata of an object that a workload controls.
func under(name string, workload metav1.OwnerReference) metav1.ObjectMeta {
	workload.Controller = new(true)
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "1",
		OwnerReferences: []metav1.OwnerReference{workload}}
}

func reference(apiVersion, kind, name, uid string) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: "shop", Name: name,
		UID: types.UID(uid)}
}

// An Event is about the workload above the pod's controller, and only where the API server knows of both what the
// review says.
func TestLookUp(t *testing.T) {
	elsewhere := under("web-5d4", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web",
		UID: "2"})
	elsewhere.Namespace = "other"
	alone := metav1.ObjectMeta{Namespace: "shop", Name: "alone", UID: "1"}
	r, _ := newRecorder(t,
		&appsv1.ReplicaSet{ObjectMeta: under("web-5d4",
			metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "2"})},
		&appsv1.ReplicaSet{ObjectMeta: under("roll-5d4",
			metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Rollout", Name: "roll", UID: "2"})},
		&appsv1.ReplicaSet{ObjectMeta: elsewhere}, &appsv1.ReplicaSet{ObjectMeta: alone},
		&batchv1.Job{ObjectMeta: under("nightly-29",
			metav1.OwnerReference{APIVersion: "batch/v1", Kind: "CronJob", Name: "nightly", UID: "2"})},
	)
	replicaSet := func(name, uid string) pod.Owner {
		return pod.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: uid}
	}
	for _, test := range []struct {
		name                 string
		namespace            string
		owner                pod.Owner
		controller, workload *corev1.ObjectReference // nil where there is nowhere to tell
	}{
		{"a Deployment's", "shop", replicaSet("web-5d4", "1"), reference("apps/v1", "ReplicaSet", "web-5d4", "1"),
			reference("apps/v1", "Deployment", "web", "2")},
		{"a CronJob's", "shop", pod.Owner{APIVersion: "batch/v1", Kind: "Job", Name: "nightly-29", UID: "1"},
			reference("batch/v1", "Job", "nightly-29", "1"), reference("batch/v1", "CronJob", "nightly", "2")},
		{"of a kind of somebody's own", "shop", replicaSet("roll-5d4", "1"),
			reference("apps/v1", "ReplicaSet", "roll-5d4", "1"), reference("example.com/v1", "Rollout", "roll", "2")},
		{"a ReplicaSet's without a workload above", "shop", replicaSet("alone", "1"), nil, nil},
		{"one that names another object's UID", "shop", replicaSet("web-5d4", "3"), nil, nil},
		{"one that names no UID", "shop", replicaSet("web-5d4", ""), nil, nil},
		{"one that names what does not exist", "shop", replicaSet("gone", "1"), nil, nil},
		{"one in a namespace that is not enrolled", "other", replicaSet("web-5d4", "1"), nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			controller, workload, err := r.lookUp(t.Context(),
				admission.Rejection{Namespace: test.namespace, Owner: test.owner})
			if nowhere := errors.Is(err, errNowhere); nowhere != (test.workload == nil) || err != nil && !nowhere {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff([]*corev1.ObjectReference{test.controller, test.workload},
				[]*corev1.ObjectReference{controller, workload}); diff != "" {
				t.Errorf("controller and workload (-want +got):\n%s", diff)
			}
		})
	}
}

// An owner that cannot be read is counted and logged, and leads to no Event.
func TestRecordCountsWhatItCannotFindOut(t *testing.T) {
	owner := pod.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4", UID: "1"}
	for _, test := range []struct {
		name  string
		tweak func(*Recorder)
		cause string
	}{
		{"the namespace", func(r *Recorder) {
			r.IsEnrolled = func(context.Context, string) (bool, error) { return true, errors.New("no answer") }
		}, `cause="read namespace \"shop\": no answer"`},
		{"the controller", func(r *Recorder) {
			r.Reader = interceptor.NewClient(r.Reader.(client.WithWatch), interceptor.Funcs{
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object,
					...client.GetOption) error {
					return errors.New("no answer")
				},
			})
		}, `cause="read ReplicaSet \"web-5d4\": no answer"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, log := newRecorder(t)
			test.tweak(r)
			recorder := events.NewFakeRecorder(1)
			r.record(t.Context(), recorder, admission.Rejection{Namespace: "shop", Owner: owner})
			want := `level=WARN msg="Cannot find the workload of a rejected pod" namespace=shop ` +
				`ownerKind=ReplicaSet owner=web-5d4 ` + test.cause
			if !strings.Contains(log.String(), want) {
				t.Errorf("log %q, want %q", log, want)
			}
			if counted := testutil.ToFloat64(r.Metrics.events.WithLabelValues(failed)); counted != 1 ||
				len(recorder.Events) > 0 {
				t.Errorf("%g failures are counted, and %d Events recorded", counted, len(recorder.Events))
			}
		})
	}
}

// written is a sink that reports its calls.
type written struct {
	events.EventSink
	calls chan string
}

func (w written) Create(_ context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	w.calls <- "create " + event.Note
	return event, nil
}

func (w written) Patch(_ context.Context, event *eventsv1.Event, _ []byte) (*eventsv1.Event, error) {
	w.calls <- "patch " + event.Note
	return event, nil
}

// A second cause with the same reason gets its own Event, since the library keeps the first message of an Event.
func TestEachMessageIsAnEvent(t *testing.T) {
	r, _ := newRecorder(t, &appsv1.ReplicaSet{ObjectMeta: under("web-5d4",
		metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "2"})})
	calls := make(chan string, 10)
	r.Sink = written{calls: calls}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	for _, step := range []struct{ message, want string }{
		{"NotAllowed: net.core.somaxconn", "create NotAllowed: net.core.somaxconn"},
		{"NotAllowed: kernel.sem", "create NotAllowed: kernel.sem"},
		{"NotAllowed: net.core.somaxconn", "patch NotAllowed: net.core.somaxconn"},
	} {
		r.Rejected(admission.Rejection{Namespace: "shop", Reason: "NotAllowed", Message: step.message,
			Owner: pod.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4", UID: "1"}})
		if got := <-calls; got != step.want {
			t.Fatalf("got %q, want %q", got, step.want)
		}
	}
	cancel()
	if err := <-ended; err != nil || len(calls) > 0 {
		t.Errorf("error %v, and %d more calls", err, len(calls))
	}
}

// The handler never waits: what cannot be taken note of is counted.
func TestRejectedDropsWhatIsTooMuch(t *testing.T) {
	r, _ := newRecorder(t)
	job := admission.Rejection{Namespace: "shop",
		Owner: pod.Owner{APIVersion: "batch/v1", Kind: "Job", Name: "nightly-29", UID: "1"}}
	others := []admission.Rejection{
		{Namespace: "shop"},
		{Namespace: "shop", Owner: pod.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "1"}},
		{Namespace: "shop", Owner: pod.Owner{APIVersion: "example.com/v1", Kind: "Job", Name: "nightly-29", UID: "1"}},
		{Namespace: "shop", Owner: pod.Owner{APIVersion: "batch/v1", Kind: "Job",
			Name: strings.Repeat("n", maxIdentity), UID: "1"}},
	}
	for range maxQueued + 3 {
		r.Rejected(job)
		for _, other := range others {
			r.Rejected(other)
		}
	}
	if counted := testutil.ToFloat64(r.Metrics.events.WithLabelValues(dropped)); counted != 3 ||
		len(r.queue) != maxQueued {
		t.Errorf("%d wait, and %g are dropped", len(r.queue), counted)
	}
	for range maxQueued {
		if diff := cmp.Diff(job, <-r.queue); diff != "" {
			t.Fatalf("waits (-want +got):\n%s", diff)
		}
	}
}

func TestNote(t *testing.T) {
	for _, test := range []struct{ name, message, want string }{
		{"as it is", "HostNetwork: …", "HostNetwork: …"},
		{"as long as may be", strings.Repeat("a", maxNote), strings.Repeat("a", maxNote)},
		{"too long", strings.Repeat("a", maxNote+1), strings.Repeat("a", maxNote-3) + "…"},
		{"too long, cut within a character", strings.Repeat("a", maxNote-4) + "ééé",
			strings.Repeat("a", maxNote-4) + "…"},
		{"too long, cut after a character", strings.Repeat("a", maxNote-5) + "éa…",
			strings.Repeat("a", maxNote-5) + "é…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := note(test.message); got != test.want || len(got) > maxNote {
				t.Errorf("got %d bytes that end in %q, want %q", len(got), got[max(0, len(got)-8):],
					test.want[max(0, len(test.want)-8):])
			}
		})
	}
}

// What the library makes up for by itself counts for nothing, the rest as written or failed.
func TestSinkCounts(t *testing.T) {
	resource := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	for _, test := range []struct {
		name             string
		err              error
		recorded, failed float64
	}{
		{"written", nil, 2, 0},
		{"gone before its repetition", apierrors.NewNotFound(resource, "web.1"), 0, 0},
		{"there already", apierrors.NewAlreadyExists(resource, "web.1"), 0, 0},
		{"rejected", apierrors.NewForbidden(resource, "web.1", errors.New("no right")), 0, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, log := newRecorder(t)
			s := &countingSink{&sink{err: test.err}, r.Metrics, r.Log}
			event := &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"},
				Regarding: corev1.ObjectReference{Kind: "Deployment", Name: "web"}}
			_, err := s.Create(t.Context(), event)
			_, patchErr := s.Patch(t.Context(), event, nil)
			if !errors.Is(err, test.err) || !errors.Is(patchErr, test.err) {
				t.Errorf("errors %v and %v, want %v", err, patchErr, test.err)
			}
			got := []float64{testutil.ToFloat64(r.Metrics.events.WithLabelValues(recorded)),
				testutil.ToFloat64(r.Metrics.events.WithLabelValues(failed))}
			if diff := cmp.Diff([]float64{test.recorded, test.failed}, got); diff != "" {
				t.Errorf("recorded and failed (-want +got):\n%s", diff)
			}
			const line = `level=WARN msg="Cannot write an Event" namespace=shop ownerKind=Deployment owner=web cause=`
			if lines := strings.Count(log.String(), line); lines != int(test.failed) {
				t.Errorf("log %s", log)
			}
		})
	}
}

func TestNewNamesTheFirstMissingField(t *testing.T) {
	r, _ := newRecorder(t)
	config := Config{}
	for _, step := range []struct {
		missing string
		add     func()
	}{
		{"Reader", func() { config.Reader = r.Reader }},
		{"Sink", func() { config.Sink = r.Sink }},
		{"IsEnrolled", func() { config.IsEnrolled = r.IsEnrolled }},
		{"Metrics", func() { config.Metrics = r.Metrics }},
		{"Log", func() { config.Log = r.Log }},
	} {
		want := "events: " + step.missing + " is required"
		for range 20 { // the same each time
			if _, err := New(config); err == nil || err.Error() != want {
				t.Fatalf("got %v, want %s", err, want)
			}
		}
		step.add()
	}
	if _, err := New(config); err != nil {
		t.Error(err)
	}
}
