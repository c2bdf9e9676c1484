package app

import "github.com/prometheus/client_golang/prometheus"

// readiness is a metric with the checks of /readyz.
type readiness struct {
	checks []check
	desc   *prometheus.Desc
}

func newReadiness(checks []check) readiness {
	return readiness{checks, prometheus.NewDesc("sysctl_injector_ready",
		"1 if a check of /readyz passes, 0 if it fails.", []string{"check"}, nil)}
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
