package app

import "github.com/prometheus/client_golang/prometheus"

// readiness is a metric of what /readyz tells.
type readiness struct {
	checks []check
	desc   *prometheus.Desc
}

func newReadiness(checks []check) readiness {
	return readiness{checks, prometheus.NewDesc("sysctl_injector_ready",
		"1 when a check of /readyz is passed, 0 when it is not.", []string{"check"}, nil)}
}

// Describe implements prometheus.Collector.
func (r readiness) Describe(descs chan<- *prometheus.Desc) { descs <- r.desc }

// Collect implements prometheus.Collector.
func (r readiness) Collect(metrics chan<- prometheus.Metric) {
	for _, c := range r.checks {
		if c.ready == nil {
			continue
		}
		var value float64
		if c.ready() == nil {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, value, c.name)
	}
}
