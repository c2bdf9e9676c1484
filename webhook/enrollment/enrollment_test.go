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
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", ResourceVersion: "7", Labels: labels,
		Annotations: annotations}}
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
		{"takes over from Pod Security, and remembers its level",
			labels{"pod-security.kubernetes.io/enforce": "baseline",
				"pod-security.kubernetes.io/warn": "restricted"}, nil,
			labels{"pod-security.kubernetes.io/enforce": "privileged", "pod-security.kubernetes.io/warn": "restricted",
				"sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"}, "baseline",
			[]string{
				`label pod-security.kubernetes.io/enforce: change "baseline" to "privileged"`,
				`label sysctl-injector.dev/enforce: add "restricted"`,
				`label sysctl-injector.dev/inject: add "enabled"`,
				`annotation sysctl-injector.dev/former-enforce: add "baseline"`,
			}},
		{"remembers that there was no level", nil, nil,
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled",
				"sysctl-injector.dev/enforce": "restricted"}, "",
			[]string{
				`label pod-security.kubernetes.io/enforce: add "privileged"`,
				`label sysctl-injector.dev/enforce: add "restricted"`,
				`label sysctl-injector.dev/inject: add "enabled"`,
				`annotation sysctl-injector.dev/former-enforce: add ""`,
			}},
		{"keeps what it remembers when it changes the standard",
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled",
				"sysctl-injector.dev/enforce": "baseline"},
			labels{"sysctl-injector.dev/former-enforce": "restricted"},
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled",
				"sysctl-injector.dev/enforce": "restricted"}, "restricted",
			[]string{`label sysctl-injector.dev/enforce: change "baseline" to "restricted"`}},
		{"changes nothing where all is so", labels{"pod-security.kubernetes.io/enforce": "privileged",
			"sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted"},
			labels{"sysctl-injector.dev/former-enforce": "restricted"},
			labels{"pod-security.kubernetes.io/enforce": "privileged", "sysctl-injector.dev/inject": "enabled",
				"sysctl-injector.dev/enforce": "restricted"}, "restricted", nil},
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
	own := namespace(map[string]string{"pod-security.kubernetes.io/enforce": "restricted",
		"sysctl-injector.dev/inject": "enabled"}, nil)
	if diff := cmp.Diff([]string{`label sysctl-injector.dev/inject: remove "enabled"`},
		Unenroll(own).Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
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
		{"restores a stricter level", map[string]string{podSecurity: "privileged", enforce: "baseline"}, "restricted",
			"restricted",
			`containers are held to "baseline" now; then Pod Security admission holds them to "restricted"`, false},
		{"restores the same level", map[string]string{podSecurity: "privileged", enforce: "restricted"}, "restricted",
			"restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"says that a level is weaker", map[string]string{podSecurity: "privileged", enforce: "restricted"},
			"privileged", "privileged",
			`containers are held to "restricted" now; then Pod Security admission holds them to "privileged"`, true},
		{"says that the cluster's default may be weaker",
			map[string]string{podSecurity: "privileged", enforce: "baseline"}, "", "",
			`containers are held to "baseline" now; then Pod Security admission holds them to the cluster's ` +
				`default level`, true},
		{"ignores a forged annotation without our label", map[string]string{podSecurity: "restricted"}, "privileged",
			"restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores a forged annotation beside the label that only enrolls",
			map[string]string{podSecurity: "restricted", "sysctl-injector.dev/inject": "enabled"}, "", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores the annotation where somebody has set the level since",
			map[string]string{podSecurity: "restricted", enforce: "baseline"}, "privileged", "restricted",
			`containers are held to "restricted" now; then Pod Security admission holds them to "restricted"`, false},
		{"ignores an annotation that is no level, and says that nothing is left",
			map[string]string{podSecurity: "privileged", enforce: "baseline"}, "privilege", "privileged",
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
	before := namespace(map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		map[string]string{"sysctl-injector.dev/former-enforce": "privileged"})
	enrolled := carryOut(t, before, Enroll(before, "restricted"))
	restored := carryOut(t, enrolled, Unenroll(enrolled))
	if got := restored.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("unenroll restores %q", got)
	}
}
