package grants

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Metrics counts the writes.
type Metrics struct{ applied, removed *prometheus.CounterVec }

// NewMetrics registers the metrics with a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	kind := []string{"kind"}
	m := &Metrics{
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sysctl_injector_grants_applied_total",
			Help: "Objects applied, so that a service account may use a sysctl, by kind.",
		}, kind),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sysctl_injector_grants_removed_total",
			Help: "Objects removed, because nothing used them or to make room for what was needed, by kind.",
		}, kind),
	}
	// These start at 0, so that the first write shows as an increase. Every backend writes these two kinds.
	for _, counter := range []*prometheus.CounterVec{m.applied, m.removed} {
		for _, name := range []string{"ClusterRole", "RoleBinding"} {
			counter.WithLabelValues(name)
		}
	}
	registry.MustRegister(m.applied, m.removed)
	return m
}

func kindOf(object client.Object) string { return object.GetObjectKind().GroupVersionKind().Kind }
