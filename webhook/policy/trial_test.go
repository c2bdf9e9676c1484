package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// onTrial is a policy with actions that is to take the place of others.
func onTrial(t *testing.T, object *v1alpha1.SysctlPolicy, replaces []string,
	actions ...v1alpha1.ValidationAction) *Policy {
	t.Helper()
	object.Spec.ValidationActions, object.Spec.Replaces = actions, replaces
	p, errs := CompilePolicy(object)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return p
}

func TestValidationActions(t *testing.T) {
	const together = "spec.validationActions: Forbidden: Deny and Warn must not be together: a rejection already " +
		"tells the person what a warning would"
	const forTrials = "spec.replaces: Forbidden: is only for a policy on trial, whose validationActions are Warn, " +
		"Audit or both"
	for _, test := range []struct {
		name     string
		actions  []v1alpha1.ValidationAction
		replaces []string
		onTrial  bool
		want     []string
	}{
		{"none is in force", nil, nil, false, nil},
		{"Deny is in force", []v1alpha1.ValidationAction{"Deny"}, nil, false, nil},
		{"Deny and Audit are in force", []v1alpha1.ValidationAction{"Audit", "Deny"}, nil, false, nil},
		{"Warn is on trial", []v1alpha1.ValidationAction{"Warn"}, nil, true, nil},
		{"Audit is on trial, and names what it replaces", []v1alpha1.ValidationAction{"Audit"}, []string{"default"},
			true, nil},
		{"Warn and Audit are on trial", []v1alpha1.ValidationAction{"Warn", "Audit"}, nil, true, nil},
		{"an empty list", []v1alpha1.ValidationAction{}, nil, false,
			[]string{"spec.validationActions: Required value: leave the field out, or name Deny, Warn or Audit"}},
		{"Deny and Warn", []v1alpha1.ValidationAction{"Deny", "Warn"}, nil, false, []string{together}},
		{"an action twice", []v1alpha1.ValidationAction{"Warn", "Warn"}, nil, false,
			[]string{`spec.validationActions[1]: Duplicate value: "Warn"`}},
		{"an action that does not exist", []v1alpha1.ValidationAction{"warn"}, nil, false, []string{
			`spec.validationActions[0]: Unsupported value: "warn": supported values: "Audit", "Deny", "Warn"`,
		}},
		{"a policy in force that replaces others", nil, []string{"default"}, false, []string{forTrials}},
		{"everything that is wrong at once", []v1alpha1.ValidationAction{"Deny", "Warn"}, []string{"default"}, false,
			[]string{together, forTrials}},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := policyNamed("test", allow("net.*"))
			object.Spec.ValidationActions, object.Spec.Replaces = test.actions, test.replaces
			_, errs := CompilePolicy(object)
			var found []string
			for _, err := range errs {
				found = append(found, err.Error())
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if got := IsOnTrial(object); got != test.onTrial {
				t.Errorf("on trial: %t", got)
			}
		})
	}
}

func TestTry(t *testing.T) {
	wide := compiled(t, "default", allow("net.*", "kernel.sem"))
	semaphores := compiled(t, "semaphores", allow("kernel.sem"))
	narrow := func(replaces ...string) *Policy {
		return onTrial(t, policyNamed("narrow", allow("net.core.*")), replaces, v1alpha1.Warn)
	}
	others := policyNamed("others", allow("fs.mqueue.*"))
	others.Spec.ServiceAccountNames = []string{"db"}
	wouldReject := func(name string) []violation {
		return []violation{{"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: " + name + " " + notAllowed + askFor}}
	}
	for _, test := range []struct {
		name     string
		policies []*Policy
		lines    string
		policy   []string // that would reject the pod
		want     []violation
	}{
		{"says nothing without a policy on trial", []*Policy{wide}, "net.ipv4.tcp_tw_reuse = 1", nil, nil},
		{"says nothing of what the policy on trial allows", []*Policy{wide, narrow()}, "net.core.somaxconn = 512",
			nil, nil},
		{"finds what the narrower policy does not allow", []*Policy{wide, narrow()}, "net.ipv4.tcp_tw_reuse = 1",
			[]string{"narrow"}, wouldReject("net.ipv4.tcp_tw_reuse")},
		{"takes the place of every policy in force", []*Policy{wide, semaphores, narrow()}, "kernel.sem = 1 2 3 4",
			[]string{"narrow"}, wouldReject("kernel.sem")},
		{"or only of those that it replaces", []*Policy{wide, semaphores, narrow("default")}, "kernel.sem = 1 2 3 4",
			nil, nil},
		{"and still finds what those that stay do not allow", []*Policy{wide, semaphores, narrow("default")},
			"net.ipv4.tcp_tw_reuse = 1", []string{"narrow"},
			wouldReject("net.ipv4.tcp_tw_reuse")},
		{"says nothing of pods that it does not select", []*Policy{wide, onTrial(t, others, nil, v1alpha1.Audit)},
			"net.ipv4.tcp_tw_reuse = 1", nil, nil},
		{"takes those on trial together", []*Policy{wide, narrow(),
			onTrial(t, policyNamed("rest", allow("net.ipv4.*")), nil, v1alpha1.Audit)},
			"net.ipv4.tcp_tw_reuse = 1", nil, nil},
		{"names all of them", []*Policy{wide, narrow(),
			onTrial(t, policyNamed("rest", allow("net.ipv4.*")), nil, v1alpha1.Audit)}, "kernel.sem = 1 2 3 4",
			[]string{"narrow", "rest"}, wouldReject("kernel.sem")},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := NewSet(test.policies, nil)
			settings := asks(t, test.lines)
			compare(t, set.Evaluate(ordinary(), settings, nil), nil)
			tried := set.Try(ordinary(), settings)
			if tried == nil {
				tried = &Trial{}
			}
			if diff := cmp.Diff(test.policy, tried.Policies); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
			compare(t, tried.Violations, test.want)
		})
	}
}

func TestTryTellsTheActions(t *testing.T) {
	set := NewSet([]*Policy{
		compiled(t, "default", allow("net.*")),
		onTrial(t, policyNamed("a", allow("net.core.*")), nil, v1alpha1.Audit),
		onTrial(t, policyNamed("b", allow("net.unix.*")), nil, v1alpha1.Warn),
	}, nil)
	if tried := set.Try(ordinary(), asks(t, "net.ipv4.tcp_tw_reuse = 1")); !tried.Warn || !tried.Audit {
		t.Errorf("%+v", tried)
	}
	set = NewSet([]*Policy{compiled(t, "default", allow("net.*")),
		onTrial(t, policyNamed("a", allow("net.core.*")), nil, v1alpha1.Audit)}, nil)
	if tried := set.Try(ordinary(), asks(t, "net.ipv4.tcp_tw_reuse = 1")); tried.Warn || !tried.Audit {
		t.Errorf("%+v", tried)
	}
}

// A policy on trial allows nothing, and the message says so to the person who wrote it.
func TestAPolicyOnTrialAllowsNothing(t *testing.T) {
	const would = ` (SysctlPolicy "tried" would allow it, and is on trial: its spec.validationActions lack Deny)`
	tried := onTrial(t, policyNamed("tried", allow("net.*")), nil, v1alpha1.Audit)
	compare(t, NewSet([]*Policy{tried}, nil).Evaluate(ordinary(), asks(t, "net.core.somaxconn = 512"), nil),
		[]violation{
			{"NoPolicy",
				atSysctls + "Forbidden: line 1: net.core.somaxconn is not allowed: there is no SysctlPolicy in " +
					"force, so nothing is" + would},
		})
	set := NewSet([]*Policy{tried, compiled(t, "ipc", allow("kernel.sem"))}, nil)
	compare(t, set.Evaluate(ordinary(), asks(t, "net.core.somaxconn = 512"), nil), []violation{
		{"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed + would + askFor},
	})
	if names := set.Allowing(ordinary(), "net.core.somaxconn"); names != nil {
		t.Errorf("allowed by %v", names)
	}
}
