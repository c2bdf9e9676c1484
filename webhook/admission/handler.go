// Package admission is the webhook's HTTP side: it reads an AdmissionReview, has the pod decided upon, and answers.
package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
)

// Reasons of rejections that are not a decision on the pod itself.
const (
	ReasonMisdirected         = "Misdirected"
	ReasonNamespaceNotEnabled = "NamespaceNotEnabled"
	ReasonClusterUnavailable  = "ClusterUnavailable"
	ReasonNotGranted          = "NotGranted"
	ReasonGrantFailed         = "GrantFailed"
	ReasonPanic               = "Panic"
)

// Granter makes sure that a pod's service account has the grants that the pod needs.
type Granter interface {
	// Ensure returns when the grants are in force. The error is a *grants.MissingError if only an administrator can
	// add them.
	Ensure(ctx context.Context, need grants.Need) error
}

// Rejection describes a rejected pod.
type Rejection struct {
	Namespace       string
	Owner           pod.Owner // empty if no controller made the pod
	Reason, Message string
}

// Config is what a Handler works with. Every field but Granter, Rejected, Tried and BodyBytes is required.
type Config struct {
	Injector *injection.Injector
	Source   source.Source
	// Granter is nil without a cluster: nothing is granted.
	Granter Granter
	// Rejected, if set, is called for each rejected pod, except in a dry run. It returns at once.
	Rejected func(Rejection)
	// Tried, if set, is called with the policies on trial that would have rejected an admitted pod, except in a dry
	// run. It returns at once.
	Tried func(policies []string)
	// BodyBytes limits the memory of all large bodies in flight; 0 means 64 MiB.
	BodyBytes int64
	Metrics   *Metrics
	Log       *slog.Logger
}

// MinBudgetBytes is the least memory with which every request can be read. More than MaxBudgetBytes gains nothing.
const (
	MinBudgetBytes = 2 * MaxBodyBytes
	MaxBudgetBytes = 64 << 20
)

// Handler decides on pods.
type Handler struct {
	Config
	bodies *budget
	turns  chan struct{} // one for each processor that works on a large body
}

// New returns a Handler, or says which field of config is missing.
func New(config Config) (*Handler, error) {
	for name, missing := range map[string]bool{
		"Injector": config.Injector == nil, "Source": config.Source == nil, "Metrics": config.Metrics == nil,
		"Log": config.Log == nil,
	} {
		if missing {
			return nil, fmt.Errorf("admission: %s is required", name)
		}
	}
	config.BodyBytes = cmp.Or(config.BodyBytes, MaxBudgetBytes)
	if config.BodyBytes < MinBudgetBytes {
		return nil, fmt.Errorf("admission: BodyBytes: %d is below %d, so some requests could never be read",
			config.BodyBytes, MinBudgetBytes)
	}
	return &Handler{Config: config, bodies: newBudget(config.BodyBytes),
		turns: make(chan struct{}, runtime.GOMAXPROCS(0))}, nil
}

// inTurn runs a function that takes processor time for a body. Each processor works on one large body at most.
// Otherwise small bodies, which take a hundredth of the time, would wait for all large ones. The function must not wait
// for the API server: others wait for the turn. An error means that ctx ended before the turn came.
func (h *Handler) inTurn(ctx context.Context, bodyBytes int, run func()) error {
	if bodyBytes > smallBody {
		select {
		case h.turns <- struct{}{}:
			defer func() { <-h.turns }()
		case <-ctx.Done():
			return fmt.Errorf("wait for the decisions on other large objects: %w", ctx.Err())
		}
	}
	run()
	return nil
}

// Answer decides on the pod of the AdmissionReview in body, and returns the review with the response. An error means
// that body is not a review.
func (h *Handler) Answer(ctx context.Context, body []byte) ([]byte, error) {
	return h.answer(ctx, body, false)
}

// answer is Answer. With mayHaveDefaults, profiles may apply to a pod that asks for nothing.
func (h *Handler) answer(ctx context.Context, body []byte, mayHaveDefaults bool) ([]byte, error) {
	var review *review
	var err error
	if h.inTurn(ctx, len(body), func() { review, err = readReview(body) }) != nil {
		return nil, errBusy
	}
	var d decision
	var misdirected misdirectedError
	switch {
	case err == nil:
		review.mayHaveDefaults = mayHaveDefaults
		d = h.decide(ctx, review)
	case errors.As(err, &misdirected):
		d = reject(review, ReasonMisdirected, http.StatusBadRequest, misdirected.Error())
	default:
		return nil, &httpError{http.StatusBadRequest, err.Error()}
	}
	h.record(ctx, review, d)
	return d.encode()
}

// decide never panics: a pod that cannot be decided on is rejected.
func (h *Handler) decide(ctx context.Context, review *review) (d decision) {
	defer func() {
		if cause := recover(); cause != nil {
			d = h.rejectPanic(ctx, review, cause, debug.Stack())
		}
	}()
	if review.podErr != nil {
		return reject(review, injection.ReasonUnreadablePod, http.StatusBadRequest, review.podErr.Error())
	}
	target := injection.Target{Namespace: review.namespace}
	err := h.locate(ctx, review.pod, &target, review.mayHaveDefaults)
	var outcome injection.Outcome
	if err == nil {
		err = h.inTurn(ctx, review.bytes, func() { outcome = h.outcome(review.pod, target) })
	}
	if err != nil {
		return reject(review, ReasonClusterUnavailable, http.StatusInternalServerError, err.Error())
	}
	if h.Granter != nil && outcome.Grant != nil && !review.dryRun {
		if err := h.Granter.Ensure(ctx, *outcome.Grant); err != nil {
			return h.rejectGrant(ctx, review, err)
		}
	}
	if outcome.IsDenied() {
		return rejection(review, outcome.Reason, http.StatusForbidden, outcome.Message())
	}
	if d, err = admit(review, outcome); err != nil {
		return h.rejectPanic(ctx, review, err, nil)
	}
	return d
}

// locate fills in where a pod will run. It asks the source, and so perhaps the API server, only for a pod that asks for
// sysctls or may get some by default, so that no other pod depends on the answer.
func (h *Handler) locate(ctx context.Context, p *pod.Pod, target *injection.Target, mayHaveDefaults bool) error {
	if p.OptsOut() || !p.AsksForSysctls() && !mayHaveDefaults {
		return nil
	}
	return source.Locate(ctx, h.Source, p, target)
}

// outcome decides on a pod. It changes nothing and does not wait.
func (h *Handler) outcome(p *pod.Pod, target injection.Target) injection.Outcome {
	outcome := h.Injector.Inject(p, target, h.Source.Rules())
	if len(outcome.Sysctls) > 0 && target.NamespaceLabels[v1alpha1.InjectLabel] != v1alpha1.InjectEnabled {
		return injection.Denied(ReasonNamespaceNotEnabled,
			field.Forbidden(field.NewPath("metadata", "namespace"), fmt.Sprintf("namespace %q is not enrolled; "+
				"an administrator can run: kubectl label namespace %[1]s %s=%s", target.Namespace, v1alpha1.InjectLabel,
				v1alpha1.InjectEnabled)))
	}
	return outcome
}

// Need returns the grants that a live pod, given as JSON, needs under the current rules; nil if it needs none, or
// would be rejected. It reads the pod as an admission does, and the facts about it from a source.
func (h *Handler) Need(ctx context.Context, from source.Source, namespace string, live []byte) (*grants.Need, error) {
	p, err := pod.Decode(live)
	if err != nil {
		return nil, err
	}
	target := injection.Target{Namespace: namespace}
	if err := source.Locate(ctx, from, p, &target); err != nil {
		return nil, err
	}
	return h.outcome(p, target).Grant, nil
}

func (h *Handler) rejectGrant(ctx context.Context, review *review, err error) decision {
	var missing *grants.MissingError
	var rejected *grants.RejectedError
	var panicked *grants.PanicError
	switch {
	case errors.As(err, &rejected):
		return reject(review, rejected.Reason, http.StatusForbidden, rejected.Message)
	case errors.As(err, &missing):
		return reject(review, ReasonNotGranted, http.StatusForbidden, missing.Error())
	case errors.As(err, &panicked):
		return h.rejectPanic(ctx, review, panicked.Cause, panicked.Stack)
	}
	return reject(review, ReasonGrantFailed, http.StatusInternalServerError, err.Error())
}

func (h *Handler) rejectPanic(ctx context.Context, review *review, cause any, stack []byte) decision {
	h.logPanic(ctx, cause, stack)
	return reject(review, ReasonPanic, http.StatusInternalServerError, ownError)
}
