package enrollment

import (
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
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

func TestCurrentLevel(t *testing.T) {
	const podSecurity, inject, enforce = "pod-security.kubernetes.io/enforce", "sysctl-injector.dev/inject", "sysctl-injector.dev/enforce"
	for _, test := range []struct {
		name   string
		labels map[string]string
		want   string
	}{
		{"is baseline where nothing is said", nil, "baseline"},
		{"is Pod Security's", map[string]string{podSecurity: "restricted"}, "restricted"},
		{"is Pod Security's, also if that is none", map[string]string{podSecurity: "privileged"}, "privileged"},
		{"is restricted where Pod Security cannot read the label", map[string]string{podSecurity: "restrictd"}, "restricted"},
		{"is the guard's in an enrolled namespace", map[string]string{podSecurity: "privileged", inject: "enabled", enforce: "restricted"}, "restricted"},
		{"is the guard's baseline where only inject is set", map[string]string{podSecurity: "privileged", inject: "enabled"}, "baseline"},
		{"is restricted where the guard cannot read the label", map[string]string{podSecurity: "privileged", enforce: "strict"}, "restricted"},
		{"is the stricter one of both", map[string]string{podSecurity: "restricted", inject: "enabled", enforce: "baseline"}, "restricted"},
		{"is what the administrator chose", map[string]string{podSecurity: "privileged", inject: "enabled", enforce: "privileged"}, "privileged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := CurrentLevel(test.labels); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// The annotation counts only where the labels are those that Enroll sets: it may be forged, or older than they are.
func TestUnenrollTrustsTheAnnotationOnlyBesideTheLabels(t *testing.T) {
	const podSecurity, enforce = "pod-security.kubernetes.io/enforce", "sysctl-injector.dev/enforce"
	for _, test := range []struct {
		name     string
		labels   map[string]string
		former   string
		after    string // Pod Security's label after it
		handover string
		weaker   bool
	}{
		{"restores a stricter level", map[string]string{podSecurity: "privileged", enforce: "baseline"}, "restricted", "restricted",
			`containers are held to "baseline" now; then Pod Security admission holds them to "restricted"`, false},
		{"restores the same level", map[string]string{podSecurity: "privileged", enforce: "restricted"}, "restricted", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"says that a level is weaker", map[string]string{podSecurity: "privileged", enforce: "restricted"}, "privileged", "privileged",
			`containers are held to "restricted" now; then Pod Security admission holds them to "privileged"`, true},
		{"says that the cluster's default may be weaker", map[string]string{podSecurity: "privileged", enforce: "baseline"}, "", "",
			`containers are held to "baseline" now; then Pod Security admission holds them to the cluster's default level`, true},
		{"ignores a forged annotation without our label", map[string]string{podSecurity: "restricted"}, "privileged", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores a forged annotation beside the label that only opts in", map[string]string{podSecurity: "restricted", "sysctl-injector.dev/inject": "enabled"}, "", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores the annotation where somebody has set the level since", map[string]string{podSecurity: "restricted", enforce: "baseline"}, "privileged", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores an annotation that is no level, and says that nothing is left", map[string]string{podSecurity: "privileged", enforce: "baseline"}, "privilege", "privileged",
			`containers are held to "baseline" now; then Pod Security admission holds them to "privileged"`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := namespace(test.labels, map[string]string{"sysctl-injector.dev/former-enforce": test.former})
			plan := Unenroll(before)
			if got := carryOut(t, before, plan).Labels[podSecurity]; got != test.after {
				t.Errorf("Pod Security's label is %q, want %q", got, test.after)
			}
			if handover, weaker := plan.Handover(); handover != test.handover || weaker != test.weaker {
				t.Errorf("got  %s, %t\nwant %s, %t", handover, weaker, test.handover, test.weaker)
			}
		})
	}
}

func TestEnrollReplacesAForgedAnnotation(t *testing.T) {
	before := namespace(map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}, map[string]string{"sysctl-injector.dev/former-enforce": "privileged"})
	enrolled := carryOut(t, before, Enroll(before, "restricted"))
	if got := carryOut(t, enrolled, Unenroll(enrolled)).Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("unenroll restores %q", got)
	}
}

func TestViolations(t *testing.T) {
	privileged := &corev1.SecurityContext{Privileged: new(true)}
	var ours corev1.Container
	if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &ours); err != nil {
		t.Fatal(err)
	}
	ours.Args = []string{"net.core.somaxconn=1024"}
	with := func(change func(*corev1.Container)) corev1.PodSpec {
		changed := *ours.DeepCopy()
		change(&changed)
		return corev1.PodSpec{InitContainers: []corev1.Container{changed}, Containers: []corev1.Container{{Name: "web"}}}
	}
	app := corev1.Container{Name: "web"}
	workloads := []Workload{
		{Kind: "Pod", Name: "plain", Spec: corev1.PodSpec{Containers: []corev1.Container{app}}},
		{Kind: "Pod", Name: "injected", Spec: corev1.PodSpec{InitContainers: []corev1.Container{ours}, Containers: []corev1.Container{app}}},
		{Kind: "DaemonSet", Name: "agent", Spec: corev1.PodSpec{HostNetwork: true, InitContainers: []corev1.Container{{Name: "setup", SecurityContext: privileged}}, Containers: []corev1.Container{app}}},
		{Kind: "Pod", Name: "second", Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "first"}, ours}, Containers: []corev1.Container{app}}},
	}
	for _, w := range []struct {
		name   string
		change func(*corev1.Container)
	}{
		{"other command", func(c *corev1.Container) { c.Command = []string{"sh", "-c"} }},
		{"other image", func(c *corev1.Container) { c.Image = "docker.io/library/busybox:1.36-evil" }},
		{"other args", func(c *corev1.Container) { c.Args = []string{"-p", "/etc/shadow"} }},
		{"more mounts", func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{Name: "a", MountPath: "/a"}} }},
		{"more capabilities", func(c *corev1.Container) {
			c.SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}
		}},
		{"with what the API server adds", func(c *corev1.Container) {
			c.Image += "@sha256:" + strings.Repeat("0", 64)
			c.TerminationMessagePath, c.ImagePullPolicy, c.Resources = corev1.TerminationMessagePathDefault, corev1.PullAlways, corev1.ResourceRequirements{}
			c.SecurityContext.ProcMount = new(corev1.DefaultProcMount)
			c.VolumeMounts = []corev1.VolumeMount{{Name: "kube-api-access", ReadOnly: true, MountPath: pod.TokenMountPath}}
		}},
	} {
		workloads = append(workloads, Workload{Kind: "Pod", Name: w.name, Spec: with(w.change)})
	}
	images := []string{ours.Image}
	const unconfined = `: forbidden AppArmor profile (container "sysctl-injector" must not set AppArmor profile type to "Unconfined"), `
	const asPrivileged = unconfined + `privileged (container "sysctl-injector" must not set securityContext.privileged=true)`
	tests := []struct {
		level string
		want  []string
	}{
		{"privileged", nil},
		{"baseline", []string{
			`DaemonSet "agent": host namespaces (hostNetwork=true), privileged (container "setup" must not set securityContext.privileged=true)`,
			`Pod "second"` + asPrivileged,
			`Pod "other command"` + asPrivileged,
			`Pod "other image"` + asPrivileged,
			`Pod "other args"` + asPrivileged,
			`Pod "more mounts"` + asPrivileged,
			`Pod "more capabilities"` + unconfined + `non-default capabilities (container "sysctl-injector" must not include "SYS_ADMIN" in securityContext.capabilities.add), privileged (container "sysctl-injector" must not set securityContext.privileged=true)`,
		}},
	}
	for _, test := range tests {
		t.Run(test.level, func(t *testing.T) {
			violations, err := Violations(workloads, test.level, images)
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
	if restricted, err := Violations(workloads, "restricted", images); err != nil || len(restricted) != len(workloads) {
		t.Errorf("restricted objects to %d of %d, %v", len(restricted), len(workloads), err)
	}
	if _, err := Violations(workloads, "strict", images); err == nil || err.Error() != "must be one of privileged, baseline, restricted" {
		t.Errorf("got %v", err)
	}
}
