// Package events tells of refused pods where a person looks for them. The API server's controllers tell of it at the ReplicaSet or
// the Job whose pod was refused; people look at the Deployment or the CronJob above.
package events

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

const (
	// Reason of every Event.
	Reason = "SysctlRefused"
	// Controller reports it.
	Controller = "sysctl-injector"

	// maxNote is what the API allows (k8s.io/kubernetes pkg/apis/core/validation, NoteLengthLimit).
	maxNote = 1024
	// maxIdentity is more than any object's namespace, name and UID take together: a review may say what it likes.
	maxIdentity = 1024
	// waiting bounds the refusals that wait to be told of.
	waiting = 100
	// perSecond and atOnce bound what is asked of the API server on their account: whoever reaches the webhook can cause it.
	perSecond = 2
	atOnce    = 20
	// timeout bounds what it takes to find out where to tell of one.
	timeout = 10 * time.Second
)

// Config is what a Recorder works with. Every field is required.
type Config struct {
	// Reader reads the pods' controllers from the API server.
	Reader client.Reader
	// Sink writes the Events.
	Sink events.EventSink
	// IsOptedIn tells whether a namespace is: elsewhere nobody's pods are refused, whatever a review says.
	IsOptedIn func(ctx context.Context, namespace string) (bool, error)
	Metrics   *Metrics
	Log       *slog.Logger
}

// Recorder writes an Event for each refusal of a pod that has a workload above its controller. Events that differ in nothing but
// the time become one, with a count.
type Recorder struct {
	Config
	queue chan admission.Refusal
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
		{"IsOptedIn", config.IsOptedIn == nil},
		{"Metrics", config.Metrics == nil},
		{"Log", config.Log == nil},
	} {
		if field.missing {
			return nil, fmt.Errorf("events: %s is required", field.name)
		}
	}
	return &Recorder{config, make(chan admission.Refusal, waiting), flowcontrol.NewTokenBucketRateLimiter(perSecond, atOnce)}, nil
}

// Refused takes note of a refusal, if there may be somewhere to tell of it. It never waits.
func (r *Recorder) Refused(refusal admission.Refusal) {
	if !workload.HasOwner(refusal.Owner.APIVersion, refusal.Owner.Kind) || len(refusal.Namespace)+len(refusal.Owner.Name)+len(refusal.Owner.UID) > maxIdentity {
		return
	}
	refusal.Message = note(refusal.Message)
	select {
	case r.queue <- refusal:
	default:
		r.Metrics.count(dropped)
	}
}

// note shortens a message to what the API allows, by whole characters.
func note(message string) string {
	if len(message) <= maxNote {
		return message
	}
	const more = "…"
	// Joined to another, the part is copied: what waits does not hold on to a message that may be large.
	return strings.ToValidUTF8(message[:maxNote-len(more)], "") + more
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica refuses pods.
func (r *Recorder) NeedLeaderElection() bool { return false }

// Start tells of refusals until ctx ends.
func (r *Recorder) Start(ctx context.Context) error {
	broadcaster := events.NewBroadcaster(&countingSink{r.Sink, r.Metrics, r.Log})
	defer broadcaster.Shutdown()
	// What goes wrong is logged by the sink; the library would add the whole Event, as an error.
	if err := broadcaster.StartRecordingToSinkWithContext(logr.NewContext(ctx, logr.Discard())); err != nil {
		return fmt.Errorf("record Events: %w", err)
	}
	recorder := broadcaster.NewRecorder(runtime.NewScheme(), Controller)
	for {
		select {
		case refusal := <-r.queue:
			r.record(ctx, recorder, refusal)
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Recorder) record(ctx context.Context, recorder events.EventRecorder, refusal admission.Refusal) {
	if err := r.limit.Wait(ctx); err != nil {
		return // the server ends
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	controller, workload, err := r.lookUp(ctx, refusal)
	switch {
	case errors.Is(err, errNowhere):
		r.Metrics.count(skipped)
	case err != nil:
		r.Metrics.count(failed)
		r.Log.WarnContext(ctx, "Cannot tell of a refusal", "namespace", refusal.Namespace, "ownerKind", refusal.Owner.Kind, "owner", refusal.Owner.Name, "cause", err.Error())
	default:
		// The library makes one of Events with the same objects and the same action. A changed template makes another ReplicaSet, and
		// a changed policy another reason: neither stays behind what was told first.
		recorder.Eventf(workload, controller, corev1.EventTypeWarning, Reason, refusal.Reason, "%s", refusal.Message)
	}
}

// errNowhere says that there is nowhere to tell of a refusal.
var errNowhere = errors.New("no workload is above the pod's controller")

// lookUp finds the pod's controller, and the workload above it. Nothing in the refusal is trusted: the API server must know a
// controller with this UID, in a namespace that is opted in.
func (r *Recorder) lookUp(ctx context.Context, refusal admission.Refusal) (controller, workload *corev1.ObjectReference, err error) {
	switch optedIn, err := r.IsOptedIn(ctx, refusal.Namespace); {
	case err != nil:
		return nil, nil, fmt.Errorf("read namespace %q: %w", refusal.Namespace, err)
	case !optedIn:
		return nil, nil, errNowhere
	}
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(schema.FromAPIVersionAndKind(refusal.Owner.APIVersion, refusal.Owner.Kind))
	err = r.Reader.Get(ctx, client.ObjectKey{Namespace: refusal.Namespace, Name: refusal.Owner.Name}, found)
	if apierrors.IsNotFound(err) {
		return nil, nil, errNowhere
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s %q: %w", refusal.Owner.Kind, refusal.Owner.Name, err)
	}
	above := metav1.GetControllerOf(found)
	if above == nil || found.UID != types.UID(refusal.Owner.UID) {
		return nil, nil, errNowhere
	}
	return &corev1.ObjectReference{APIVersion: refusal.Owner.APIVersion, Kind: refusal.Owner.Kind, Namespace: refusal.Namespace, Name: found.Name, UID: found.UID},
		&corev1.ObjectReference{APIVersion: above.APIVersion, Kind: above.Kind, Namespace: refusal.Namespace, Name: above.Name, UID: above.UID}, nil
}
