package policy

import (
	"fmt"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// sorts are ways in which many policies differ. The last policy of each allows an ordinary pod what it asks for.
var sorts = []struct {
	name  string
	tweak func(spec *v1alpha1.SysctlPolicySpec, n int)
}{
	{"namespaces", func(spec *v1alpha1.SysctlPolicySpec, n int) {
		spec.NamespaceSelector.MatchLabels = map[string]string{"team": fmt.Sprint(n), "kind": "shop"}
	}},
	{"names", func(spec *v1alpha1.SysctlPolicySpec, n int) {
		spec.Allow[0].Names = []string{fmt.Sprintf("net.ipv4.conf.eth%d.*", n)}
	}},
	{"accounts", func(spec *v1alpha1.SysctlPolicySpec, n int) {
		spec.ServiceAccountNames = []string{fmt.Sprintf("web-%d", n)}
	}},
}

// many returns policies of a sort, of which the last one allows.
func many(tb testing.TB, tweak func(*v1alpha1.SysctlPolicySpec, int), count int) []*Policy {
	tb.Helper()
	policies := make([]*Policy, count)
	for n := range policies {
		object := policyNamed(fmt.Sprintf("policy-%04d", n),
			v1alpha1.AllowRule{Names: []string{"net.*"}, Min: new(int64(1)), Max: new(int64(100_000))})
		if n < count-1 {
			tweak(&object.Spec, n)
		}
		compiled, errs := CompilePolicy(object)
		if len(errs) > 0 {
			tb.Fatal(errs.ToAggregate())
		}
		policies[n] = compiled
	}
	return policies
}

// BenchmarkEvaluate is a decision on a pod that asks for three sysctls, all allowed, or none.
func BenchmarkEvaluate(b *testing.B) {
	const lines = "net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\nnet.ipv4.tcp_fin_timeout = "
	facts := ordinary()
	facts.NamespaceLabels = map[string]string{
		"kubernetes.io/metadata.name": "shop", "kind": "shop", "team": "a",
		v1alpha1.InjectLabel: v1alpha1.InjectEnabled, "pod-security.kubernetes.io/enforce": "privileged",
	}
	for _, sort := range sorts {
		for _, count := range []int{1, 10, 100, 1000} {
			set := NewSet(many(b, sort.tweak, count), nil)
			for rejected, value := range []string{"30", "0"} {
				settings := asks(b, lines+value)
				b.Run(fmt.Sprintf("sort=%s/policies=%d/rejected=%d", sort.name, count, rejected), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if violations := set.Evaluate(facts, settings, nil); len(violations) != rejected {
							b.Fatal(violations)
						}
					}
				})
			}
		}
	}
}

// BenchmarkNewSet is what a change of any policy costs.
func BenchmarkNewSet(b *testing.B) {
	for _, sort := range sorts {
		for _, count := range []int{1, 1000} {
			policies := many(b, sort.tweak, count)
			b.Run(fmt.Sprintf("sort=%s/policies=%d", sort.name, count), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					NewSet(policies, nil)
				}
			})
		}
	}
}
