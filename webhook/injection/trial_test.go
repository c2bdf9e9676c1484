package injection

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

func TestPolicyOnTrial(t *testing.T) {
	const warning = "SysctlPolicy narrow, on trial, would reject this pod: NotAllowedByPolicy: line 1: " +
		"net.core.somaxconn is not allowed"
	for _, test := range []struct {
		name          string
		action        v1alpha1.ValidationAction
		tweak         func(*world)
		tried, warned bool
	}{
		{"warns", v1alpha1.Warn, nil, true, true},
		{"audits", v1alpha1.Audit, nil, true, false},
		{"says nothing of what it allows", v1alpha1.Warn, func(w *world) { w.sysctls("net.ipv4.tcp_fin_timeout = 30") },
			false, false},
		{"says nothing of a pod that only verifies, which needs no policy", v1alpha1.Warn,
			func(w *world) { w.annotate(v1alpha1.ModeAnnotation, "verify") }, false, false},
		{"says nothing of a pod that is rejected anyway", v1alpha1.Warn,
			func(w *world) { w.pod.Spec.HostNetwork = true }, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			narrow, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "narrow"},
				Spec: v1alpha1.SysctlPolicySpec{
					Allow:             []v1alpha1.AllowRule{{Names: []string{"net.ipv4.*"}}},
					ValidationActions: []v1alpha1.ValidationAction{test.action},
				}})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			w.trials = []*policy.Policy{narrow}
			if test.tweak != nil {
				test.tweak(w)
			}
			outcome := w.decide(t, Config{})
			if (outcome.Trial != nil) != test.tried {
				t.Errorf("tried %+v", outcome.Trial)
			}
			if strings.Contains(strings.Join(outcome.Warnings, "\n"), warning) != test.warned {
				t.Errorf("warnings %q", outcome.Warnings)
			}
		})
	}
}
