package admission

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// tries adds a policy on trial to the rules of a fixture, and returns what is counted.
func (f *fixture) tries(t *testing.T, name string, actions ...v1alpha1.ValidationAction) *[]string {
	t.Helper()
	var policies []*policy.Policy
	for _, object := range []*v1alpha1.SysctlPolicy{
		{ObjectMeta: metav1.ObjectMeta{Name: "default"},
			Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.*"}}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.ipv4.*"}}},
				ValidationActions: actions}},
	} {
		compiled, errs := policy.CompilePolicy(object)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		policies = append(policies, compiled)
	}
	f.cluster.rules = policy.NewSet(policies, nil)
	counted := &[]string{}
	f.handler.Tried = func(names []string) { *counted = append(*counted, names...) }
	return counted
}

const wouldReject = `NotAllowedByPolicy: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: ` +
	`net.core.somaxconn is not allowed by any SysctlPolicy for service account "psp-user" in namespace "shop"; an ` +
	`administrator can allow it in a SysctlPolicy`

func TestPolicyOnTrial(t *testing.T) {
	for _, test := range []struct {
		name                string
		actions             []v1alpha1.ValidationAction
		review              string
		warns, audits, logs bool
		counts              int
	}{
		{"that warns", []v1alpha1.ValidationAction{v1alpha1.Warn}, reviewOf(annotatedPod), true, false, false, 1},
		{"that audits", []v1alpha1.ValidationAction{v1alpha1.Audit}, reviewOf(annotatedPod), false, true, true, 1},
		{"that does both", []v1alpha1.ValidationAction{v1alpha1.Warn, v1alpha1.Audit}, reviewOf(annotatedPod), true,
			true, true, 1},
		{"in a dry run", []v1alpha1.ValidationAction{v1alpha1.Warn, v1alpha1.Audit},
			strings.Replace(reviewOf(annotatedPod), `"dryRun":false`, `"dryRun":true`, 1), true, true, true, 0},
		{"that allows the pod", []v1alpha1.ValidationAction{v1alpha1.Warn, v1alpha1.Audit},
			strings.Replace(reviewOf(annotatedPod), "net.core.somaxconn", "net.ipv4.tcp_fin_timeout", 1), false, false,
			false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			counted := f.tries(t, "narrow", test.actions...)
			response := decode(t, f.post(test.review))
			if !response.Allowed || response.Patch == nil {
				t.Fatalf("got %+v", response)
			}
			const warning = `SysctlPolicy narrow, on trial, would reject this pod: NotAllowedByPolicy: line 1: ` +
				`net.core.somaxconn is not allowed`
			if got := strings.Contains(strings.Join(response.Warnings, "\n"), warning); got != test.warns {
				t.Errorf("warnings %q", response.Warnings)
			}
			if got := response.AuditAnnotations["trial"]; got != "narrow: "+wouldReject && test.audits || got != "" &&
				!test.audits {
				t.Errorf("audit annotation %q", got)
			}
			const logged = `"msg":"Policies on trial would reject pod","namespace":"shop","pod":"web-",` +
				`"serviceAccount":"psp-user","policies":["narrow"]`
			if got := strings.Contains(f.log.String(), logged); got != test.logs {
				t.Errorf("log %s", f.log)
			}
			if len(*counted) != test.counts {
				t.Errorf("counted %v", *counted)
			}
			families, err := f.metrics.Gather()
			if err != nil {
				t.Fatal(err)
			}
			value := 0.0
			for _, family := range families {
				if family.GetName() == "sysctl_injector_policy_would_reject_total" {
					value = family.GetMetric()[0].GetCounter().GetValue()
				}
			}
			if value != float64(test.counts) {
				t.Errorf("the metric is %v", value)
			}
		})
	}
}
