package inspect

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestJudgeRules(t *testing.T) {
	status := func(ready metav1.ConditionStatus, message string, generation int64) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Message: message,
			ObservedGeneration: generation}}
	}
	policyOf := func(conditions []metav1.Condition) v1alpha1.SysctlPolicy {
		p := v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 2}}
		p.Spec.Allow = []v1alpha1.AllowRule{{Names: []string{"net.*"}}}
		p.Status.Conditions = conditions
		return p
	}
	ready := policyOf(status(metav1.ConditionTrue, "in force", 2))
	trial := *ready.DeepCopy()
	trial.Spec.ValidationActions = []v1alpha1.ValidationAction{v1alpha1.Warn}
	profile := v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: "nginx", Generation: 1}}
	profile.Status.Conditions = status(metav1.ConditionFalse, "spec.sysctls: line 1", 1)
	const (
		one     = "Passed Policies: 1 SysctlPolicy allows what pods may set"
		nothing = "Warning Policies: no SysctlPolicy is in force, so no pod may set sysctls"
	)
	for _, test := range []struct {
		name     string
		policies []v1alpha1.SysctlPolicy
		profiles []v1alpha1.SysctlProfile
		want     []string
	}{
		{"in force", []v1alpha1.SysctlPolicy{ready}, nil, []string{"Passed PolicyReady: every SysctlPolicy (1) and " +
			"SysctlProfile (0) is in force", one}},
		{"none", nil, nil, []string{"Passed PolicyReady: every SysctlPolicy (0) and SysctlProfile (0) is in force",
			nothing}},
		{"only one on trial", []v1alpha1.SysctlPolicy{trial}, nil, []string{"Passed PolicyReady: every SysctlPolicy " +
			"(1) and SysctlProfile (0) is in force", nothing}},
		{"without a status", []v1alpha1.SysctlPolicy{policyOf(nil)}, nil,
			[]string{`Warning PolicyReady: SysctlPolicy "default" has no current status: no server has checked ` +
				`it yet`, one}},
		{"with an outdated status", []v1alpha1.SysctlPolicy{policyOf(status(metav1.ConditionTrue, "", 1))}, nil,
			[]string{`Warning PolicyReady: SysctlPolicy "default" has no current status: no server has checked ` +
				`it yet`, one}},
		{"a profile that cannot be read", []v1alpha1.SysctlPolicy{ready}, []v1alpha1.SysctlProfile{profile},
			[]string{`Failed PolicyReady: SysctlProfile "nginx" is not in force: spec.sysctls: line 1`, one}},
	} {
		t.Run(test.name, func(t *testing.T) { wantAnswers(t, JudgeRules(test.policies, test.profiles), test.want...) })
	}
}

func TestJudgePermissions(t *testing.T) {
	wantAnswers(t, JudgePermissions(20, nil, "ann"), "Passed Permissions: you may create all objects of an "+
		"install (20 permissions)")
	got := JudgePermissions(20, []Permission{{"create", "apps", "deployments", "x"}, {"create", "", "services", "x"},
		{"create", "", "services", "x"}}, "ann b")
	wantAnswers(t, got, "Failed Permissions: you lack permissions for an install: create "+
		"deployments.apps, create services")
	if want := "kubectl create clusterrolebinding sysctl-injector-installer --clusterrole=cluster-admin --user='ann " +
		"b'"; got[0].Command != want {
		t.Errorf("the command is %s, want %s", got[0].Command, want)
	}
}

// Each kind that the manifest has is among the permissions.
func TestInstallPermissionsAreThoseOfTheManifest(t *testing.T) {
	content, err := os.ReadFile("../../deploy/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := InstallPermissions("tuning", CertManager)
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		encoded, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		object := gjson.ParseBytes(encoded)
		group, _, grouped := strings.Cut(object.Get("apiVersion").String(), "/")
		if !grouped {
			group = ""
		}
		kind := strings.ToLower(object.Get("kind").String())
		if kind == "" || kind == "namespace" {
			continue
		}
		if !slices.ContainsFunc(all, func(p Permission) bool {
			return p.Group == group && (p.Resource == kind+"s" || p.Resource == strings.TrimSuffix(kind, "y")+"ies")
		}) {
			t.Errorf("no permission to create %s.%s", kind, group)
		}
	}
	granted, err := GrantedPermissions()
	if err != nil || !slices.Contains(granted, Permission{"use", v1alpha1.GroupName, "sysctls", ""}) {
		t.Errorf("%v: %v", err, granted)
	}
}
