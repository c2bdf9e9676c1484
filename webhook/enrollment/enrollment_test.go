package enrollment

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func namespace(labels, annotations map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", ResourceVersion: "7", Labels: labels, Annotations: annotations}}
}

// carryOut applies a plan's patch as the API server does.
func carryOut(t *testing.T, before *corev1.Namespace, plan Plan) *corev1.Namespace {
	t.Helper()
	patch, err := plan.Patch()
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := jsonpatch.MergePatch(document, patch)
	if err != nil {
		t.Fatal(err)
	}
	after := &corev1.Namespace{}
	if err := json.Unmarshal(merged, after); err != nil {
		t.Fatal(err)
	}
	return after
}

func TestEnroll(t *testing.T) {
	type labels = map[string]string
	tests := []struct {
		name                string
		labels, annotations labels
		wantLabels          labels
		wantFormer          string
		changes             []string
	}{
		{"takes over from Pod Security, and remembers its level", labels{"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"}, nil,
			labels{"pod-security.kubernetes.io/enforce": "privileged", "pod-security.kubernetes.io/warn": "restricted", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"}, "baseline",
			[]string{
				`label pod-security.kubernetes.io/enforce: change "baseline" to "privileged"`, `label sysctl-injector.dev/enforce: add "restricted"`,
				`label sysctl-injector.dev/inject: add "enabled"`, `annotation sysctl-injector.dev/former-enforce: add "baseline"`,
			}},
		{"remembers that there was no level", nil, nil,
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"}, "",
			[]string{
				`label pod-security.kubernetes.io/enforce: add "privileged"`, `label sysctl-injector.dev/enforce: add "restricted"`,
				`label sysctl-injector.dev/inject: add "enabled"`, `annotation sysctl-injector.dev/former-enforce: add ""`,
			}},
		{"keeps what it remembers when it changes the standard", labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "baseline"},
			labels{"sysctl-injector.dev/former-enforce": "restricted"},
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"}, "restricted",
			[]string{`label sysctl-injector.dev/enforce: change "baseline" to "restricted"`}},
		{"changes nothing where all is so", labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"},
			labels{"sysctl-injector.dev/former-enforce": "restricted"},
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"}, "restricted", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := namespace(test.labels, test.annotations)
			plan := Enroll(before, "restricted")
			if diff := cmp.Diff(test.changes, plan.Changes()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			after := carryOut(t, before, plan)
			if diff := cmp.Diff(test.wantLabels, after.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if former, ok := after.Annotations["sysctl-injector.dev/former-enforce"]; !ok || former != test.wantFormer {
				t.Errorf("remembers %q, want %q", former, test.wantFormer)
			}
			if after.ResourceVersion != "7" {
				t.Error("the patch does not say which version of the namespace it is for")
			}
		})
	}
}

func TestUnenroll(t *testing.T) {
	for _, labels := range []map[string]string{nil, {"pod-security.kubernetes.io/enforce": "baseline", "team": "a"}} {
		before := namespace(labels, map[string]string{"note": "kept"})
		enrolled := carryOut(t, before, Enroll(before, "restricted"))
		after := carryOut(t, enrolled, Unenroll(enrolled))
		if len(after.Labels) == 0 {
			after.Labels = nil
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a namespace is not as it was before (-before +after):\n%s", diff)
		}
	}
	// Whose label somebody else set, keeps it.
	own := namespace(map[string]string{"pod-security.kubernetes.io/enforce": "restricted", "sysctl-injector.dev/inject": "enabled"}, nil)
	if diff := cmp.Diff([]string{`label sysctl-injector.dev/inject: remove "enabled"`}, Unenroll(own).Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestViolations(t *testing.T) {
	privileged := &corev1.SecurityContext{Privileged: new(true)}
	ours := corev1.Container{Name: "sysctl-injector", SecurityContext: privileged}
	app := corev1.Container{Name: "web"}
	workloads := []Workload{
		{Kind: "Pod", Name: "plain", Spec: corev1.PodSpec{Containers: []corev1.Container{app}}},
		{Kind: "Pod", Name: "injected", Spec: corev1.PodSpec{InitContainers: []corev1.Container{ours}, Containers: []corev1.Container{app}}},
		{Kind: "DaemonSet", Name: "agent", Spec: corev1.PodSpec{HostNetwork: true, InitContainers: []corev1.Container{{Name: "setup", SecurityContext: privileged}}, Containers: []corev1.Container{app}}},
		{Kind: "Pod", Name: "second", Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "first"}, ours}, Containers: []corev1.Container{app}}},
	}
	tests := []struct {
		level string
		want  []string
	}{
		{"privileged", nil},
		{"baseline", []string{
			`DaemonSet "agent": host namespaces (hostNetwork=true), privileged (container "setup" must not set securityContext.privileged=true)`,
			`Pod "second": privileged (container "sysctl-injector" must not set securityContext.privileged=true)`,
		}},
	}
	for _, test := range tests {
		t.Run(test.level, func(t *testing.T) {
			violations, err := Violations(workloads, test.level)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if restricted, err := Violations(workloads, "restricted"); err != nil || len(restricted) != 4 {
		t.Errorf("restricted objects to %d of 4, %v", len(restricted), err)
	}
	if _, err := Violations(workloads, "strict"); err == nil || err.Error() != "must be one of privileged, baseline, restricted" {
		t.Errorf("got %v", err)
	}
}
