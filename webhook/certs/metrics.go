package certs

import (
	"crypto/tls"

	"github.com/prometheus/client_golang/prometheus"
)

// gauge is a metric that is computed at each scrape, and absent while it has no value.
type gauge struct {
	desc  *prometheus.Desc
	value func() (float64, bool)
}

func newGauge(name, help string, value func() (float64, bool)) gauge {
	return gauge{prometheus.NewDesc(name, help, nil, nil), value}
}

// Describe implements prometheus.Collector.
func (g gauge) Describe(descs chan<- *prometheus.Desc) { descs <- g.desc }

// Collect implements prometheus.Collector.
func (g gauge) Collect(metrics chan<- prometheus.Metric) {
	if value, ok := g.value(); ok {
		metrics <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value)
	}
}

// RegisterExpiry registers the metric with the expiry time of the served certificate.
func RegisterExpiry(registry prometheus.Registerer, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) {
	registry.MustRegister(newGauge("sysctl_injector_certificate_expiry_timestamp_seconds",
		"When the served certificate expires, in Unix time; absent while there is none.", func() (float64, bool) {
			certificate, err := get(nil)
			if err != nil {
				return 0, false
			}
			return float64(certificate.Leaf.NotAfter.Unix()), true
		}))
}

// Register registers metrics of the Certificate's state.
func (c *Certificate) Register(registry prometheus.Registerer) {
	registry.MustRegister(
		newGauge("sysctl_injector_certmanager_certificate_ready",
			"1 when the cert-manager Certificate is Ready, 0 when it is not or cannot be read.", c.ready),
		newGauge("sysctl_injector_certmanager_certificate_renewal_timestamp_seconds",
			"When cert-manager renews the Certificate, in Unix time; absent until cert-manager reports it.", c.renewal),
	)
}
