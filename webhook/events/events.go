// Package events writes Events about rejected pods to their workloads, such as a Deployment or CronJob. Kubernetes'
// own controllers write them only to the ReplicaSet or Job below, where people rarely look.
package events

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/status"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

const (
	// Controller reports it.
	Controller = "sysctl-injector"

	// maxNote is the API's limit (k8s.io/kubernetes pkg/apis/core/validation, NoteLengthLimit).
	maxNote = 1024
	// maxIdentity exceeds the length of the namespace, name and UID of any real object. A forged review may be
	// longer.
	maxIdentity = 1024
	// maxQueued is how many rejections may wait for their Event.
	maxQueued = 100
	// perSecond and burst limit the calls to the API server, because anyone who reaches the webhook can cause them.
	perSecond = 2
	burst     = 20
	// timeout limits the search for one pod's workload.
	timeout = 10 * time.Second
)

// Config configures a Recorder. Every field is required.
type Config struct {
	// Reader reads the pods' controllers from the API server.
	Reader client.Reader
	// Sink writes the Events.
	Sink events.EventSink
	// IsEnrolled reports whether a namespace is enrolled. In other namespaces no pod is rejected, whatever a review
	// says.
	IsEnrolled func(ctx context.Context, namespace string) (bool, error)
	Metrics    *Metrics
	Log        *slog.Logger
}

// Recorder writes an Event for each rejected pod that has a workload above its controller. Events with the same
// controller, reason and message become one Event with a count.
type Recorder struct {
	Config
	queue chan admission.Rejection
	limit flowcontrol.RateLimiter
}

// New returns a Recorder, or names the first field of config that is missing.
func New(config Config) (*Recorder, error) {
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Reader", config.Reader == nil},
		{"Sink", config.Sink == nil},
		{"IsEnrolled", config.IsEnrolled == nil},
		{"Metrics", config.Metrics == nil},
		{"Log", config.Log == nil},
	} {
		if field.missing {
			return nil, fmt.Errorf("events: %s is required", field.name)
		}
	}
	return &Recorder{config, make(chan admission.Rejection, maxQueued),
		flowcontrol.NewTokenBucketRateLimiter(perSecond, burst)}, nil
}

// Rejected queues a rejection if the pod may have such a workload. It never blocks.
func (r *Recorder) Rejected(rejection admission.Rejection) {
	if !workload.HasOwner(rejection.Owner.APIVersion, rejection.Owner.Kind) ||
		len(rejection.Namespace)+len(rejection.Owner.Name)+len(rejection.Owner.UID) > maxIdentity {
		return
	}
	rejection.Message = note(rejection.Message)
	select {
	case r.queue <- rejection:
	default:
		r.Metrics.count(dropped)
	}
}

// note shortens a message to the API's limit, by whole characters.
func note(message string) string {
	if len(message) <= maxNote {
		return message
	}
	const more = "…"
	// The concatenation copies, so that the queue does not keep a large message alive.
	return strings.ToValidUTF8(message[:maxNote-len(more)], "") + more
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica rejects pods.
func (r *Recorder) NeedLeaderElection() bool { return false }

// Start writes Events until ctx ends.
func (r *Recorder) Start(ctx context.Context) error {
	broadcaster := events.NewBroadcaster(&countingSink{r.Sink, r.Metrics, r.Log})
	defer broadcaster.Shutdown()
	// countingSink already logs failures. The library would also log the whole Event.
	if err := broadcaster.StartRecordingToSinkWithContext(logr.NewContext(ctx, logr.Discard())); err != nil {
		return fmt.Errorf("record Events: %w", err)
	}
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), Controller)
	for {
		select {
		case rejection := <-r.queue:
			r.record(ctx, recorder, rejection)
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Recorder) record(ctx context.Context, recorder events.EventRecorder, rejection admission.Rejection) {
	if err := r.limit.Wait(ctx); err != nil {
		return // the server stops
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	controller, workload, err := r.lookUp(ctx, rejection)
	switch {
	case errors.Is(err, errNowhere):
		r.Metrics.count(skipped)
	case err != nil:
		r.Metrics.count(failed)
		r.Log.WarnContext(ctx, "Cannot find the workload of a rejected pod", "namespace", rejection.Namespace,
			"ownerKind", rejection.Owner.Kind, "owner", rejection.Owner.Name, "cause", err.Error())
	default:
		// The library merges Events with the same objects and the same action, whatever their messages, and keeps the
		// first message. So each message gets its own reference. kubectl does not show this field.
		controller.FieldPath = fmt.Sprintf("message:%08x", crc32.ChecksumIEEE([]byte(rejection.Message)))
		recorder.Eventf(workload, controller, corev1.EventTypeWarning, status.RejectedReason, rejection.Reason, "%s",
			rejection.Message)
	}
}

// errNowhere means that no object can carry the Event.
var errNowhere = errors.New("no workload is above the pod's controller")

// lookUp finds the pod's controller and the workload above it. It does not trust the rejection: the API server must
// know a controller with this UID in an enrolled namespace.
func (r *Recorder) lookUp(ctx context.Context,
	rejection admission.Rejection) (controller, workload *corev1.ObjectReference, err error) {
	switch enrolled, err := r.IsEnrolled(ctx, rejection.Namespace); {
	case err != nil:
		return nil, nil, fmt.Errorf("read namespace %q: %w", rejection.Namespace, err)
	case !enrolled:
		return nil, nil, errNowhere
	}
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(schema.FromAPIVersionAndKind(rejection.Owner.APIVersion, rejection.Owner.Kind))
	err = r.Reader.Get(ctx, client.ObjectKey{Namespace: rejection.Namespace, Name: rejection.Owner.Name}, found)
	if apierrors.IsNotFound(err) {
		return nil, nil, errNowhere
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s %q: %w", rejection.Owner.Kind, rejection.Owner.Name, err)
	}
	above := metav1.GetControllerOf(found)
	if above == nil || found.UID != types.UID(rejection.Owner.UID) {
		return nil, nil, errNowhere
	}
	return &corev1.ObjectReference{APIVersion: rejection.Owner.APIVersion, Kind: rejection.Owner.Kind,
			Namespace: rejection.Namespace, Name: found.Name, UID: found.UID},
		&corev1.ObjectReference{APIVersion: above.APIVersion, Kind: above.Kind, Namespace: rejection.Namespace,
			Name: above.Name, UID: above.UID}, nil
}
