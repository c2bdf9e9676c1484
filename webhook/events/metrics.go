package events

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
)

// Results of an Event.
const (
	recorded = "recorded" // written; a repetition may be counted in memory and written later
	skipped  = "skipped"  // the pod has no workload above its controller
	dropped  = "dropped"  // the queue is full
	failed   = "failed"
)

// Metrics counts the Events.
type Metrics struct{ events *prometheus.CounterVec }

// NewMetrics registers the metrics with a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sysctl_injector_events_total",
		Help: "Events about rejected pods, by result.",
	}, []string{"result"})}
	for _, result := range []string{recorded, skipped, dropped, failed} {
		m.events.WithLabelValues(result)
	}
	registry.MustRegister(m.events)
	return m
}

func (m *Metrics) count(result string) { m.events.WithLabelValues(result).Inc() }

// countingSink counts and logs results, which the library does not report.
type countingSink struct {
	events.EventSink
	metrics *Metrics
	log     *slog.Logger
}

// Create implements events.EventSink.
func (s *countingSink) Create(ctx context.Context, event *eventsv1.Event) (*eventsv1.Event, error) {
	written, err := s.EventSink.Create(ctx, event)
	s.count(ctx, event, err)
	return written, err
}

// Patch implements events.EventSink.
func (s *countingSink) Patch(ctx context.Context, event *eventsv1.Event, patch []byte) (*eventsv1.Event, error) {
	written, err := s.EventSink.Patch(ctx, event, patch)
	s.count(ctx, event, err)
	return written, err
}

func (s *countingSink) count(ctx context.Context, event *eventsv1.Event, err error) {
	switch {
	case err == nil:
		s.metrics.count(recorded)
	case apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
		// The library then tries the other one of create and patch.
	default:
		s.metrics.count(failed)
		s.log.WarnContext(ctx, "Cannot write an Event", "namespace", event.Namespace, "ownerKind", event.Regarding.Kind,
			"owner", event.Regarding.Name, "cause", err.Error())
	}
}
