package events

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
)

// What becomes of an Event.
const (
	recorded = "recorded" // written; a repetition is mostly counted in memory and written later
	skipped  = "skipped"  // there is no workload to tell of it at
	dropped  = "dropped"  // too many wait already
	failed   = "failed"
)

// Metrics counts the Events.
type Metrics struct{ events *prometheus.CounterVec }

// NewMetrics registers the metrics with a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sysctl_injector_events_total",
		Help: "Events about refused pods, by what became of them.",
	}, []string{"result"})}
	for _, result := range []string{recorded, skipped, dropped, failed} {
		m.events.WithLabelValues(result)
	}
	registry.MustRegister(m.events)
	return m
}

func (m *Metrics) count(result string) { m.events.WithLabelValues(result).Inc() }

// countingSink counts and logs what the library does not tell.
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
		// The library does the other of the two instead.
	default:
		s.metrics.count(failed)
		s.log.WarnContext(ctx, "Cannot write an Event", "namespace", event.Namespace, "ownerKind", event.Regarding.Kind, "owner", event.Regarding.Name, "cause", err.Error())
	}
}
