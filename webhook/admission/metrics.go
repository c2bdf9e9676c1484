package admission

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// Metrics counts and times the decisions.
type Metrics struct {
	requests *prometheus.CounterVec
	sysctls  *prometheus.CounterVec
	trials   *prometheus.CounterVec
	latency  prometheus.Histogram
	current  prometheus.Gauge
}

// NewMetrics registers the metrics with a registry.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sysctl_injector_admission_requests_total",
			Help: "Admission requests, by the reason of the decision.",
		}, []string{"reason"}),
		sysctls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sysctl_injector_sysctls_total",
			Help: "Sysctls of admitted pods, by the form that sets them.",
		}, []string{"form"}),
		trials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sysctl_injector_policy_would_reject_total",
			Help: "Admitted pods that a SysctlPolicy on trial would have rejected, by the policy.",
		}, []string{"policy"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sysctl_injector_admission_duration_seconds",
			Help:    "Time from the first byte of a request's body to its answer.",
			Buckets: prometheus.ExponentialBuckets(25e-6, 4, 10), // 25 µs to 6.6 s: past the API server's time limit
		}),
		current: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sysctl_injector_admission_requests_in_flight",
			Help: "Admission requests being decided.",
		}),
	}
	// Panics start at 0, so that the first one shows as an increase.
	for _, reason := range []string{ReasonClusterUnavailable, ReasonGrantFailed, ReasonPanic} {
		m.requests.WithLabelValues(reason)
	}
	for _, name := range form.Names() {
		m.sysctls.WithLabelValues(name)
	}
	registry.MustRegister(m.requests, m.sysctls, m.trials, m.latency, m.current)
	return m
}

func (m *Metrics) decided(reason string) { m.requests.WithLabelValues(reason).Inc() }

// admitted counts the sysctls of a pod.
func (m *Metrics) admitted(sysctls []injection.Sysctl) {
	for _, s := range sysctls {
		m.sysctls.WithLabelValues(s.Form).Inc()
	}
}

func (m *Metrics) tried(policies []string) {
	for _, name := range policies {
		m.trials.WithLabelValues(name).Inc()
	}
}

// begins counts a request as in flight from now on.
func (m *Metrics) begins() (at time.Time) {
	m.current.Inc()
	return time.Now()
}

func (m *Metrics) ends(begun time.Time) {
	m.current.Dec()
	m.latency.Observe(time.Since(begun).Seconds())
}
