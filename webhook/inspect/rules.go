package inspect

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// JudgeRules checks whether each policy and profile is in force, and whether any policy is.
func JudgeRules(policies []v1alpha1.SysctlPolicy, profiles []v1alpha1.SysctlProfile) []Check {
	var checks []Check
	inForce := 0
	for i := range policies {
		p := &policies[i]
		_, errs := policy.CompilePolicy(p)
		if len(errs) == 0 && !policy.IsOnTrial(p) {
			inForce++
		}
		if c := judgeReady("SysctlPolicy", "sysctlpolicy/"+p.Name, p.Name, p.Generation,
			p.Status.Conditions); c != nil {
			checks = append(checks, *c)
		}
	}
	for i := range profiles {
		p := &profiles[i]
		if c := judgeReady("SysctlProfile", "sysctlprofile/"+p.Name, p.Name, p.Generation,
			p.Status.Conditions); c != nil {
			checks = append(checks, *c)
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionReady.Pass("every SysctlPolicy (%d) and SysctlProfile (%d) is in force",
			len(policies), len(profiles)))
	}
	if inForce == 0 {
		return append(checks, QuestionPolicies.Warn("", "no SysctlPolicy is in force, so no pod may set sysctls").
			fix("apply the default policy or your own:", "kubectl apply -f $CHART/files/policies/default.yaml"))
	}
	return append(checks, QuestionPolicies.Pass("%s what pods may set",
		counted(inForce, "SysctlPolicy allows", "SysctlPolicies allow")))
}

// judgeReady returns why an object is not in force; nil if it is.
func judgeReady(kind, object, name string, generation int64, conditions []metav1.Condition) *Check {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	var c Check
	switch {
	case ready == nil || ready.ObservedGeneration < generation:
		c = QuestionReady.Warn(object, "%s %q has no current status: no server has checked it yet", kind, name).
			fix("if this does not change, see the check ServerLeader", "")
	case ready.Status != metav1.ConditionTrue:
		c = QuestionReady.Fail(object, "%s %q is not in force: %s", kind, name, ready.Message).
			fix("correct it:", "kubectl edit "+object)
	default:
		return nil
	}
	return &c
}
