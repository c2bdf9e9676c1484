package audit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"
)

// templateOf reads a pod template.
func templateOf(t *testing.T, text string) *corev1.PodTemplateSpec {
	t.Helper()
	template := &corev1.PodTemplateSpec{}
	if err := yaml.UnmarshalStrict([]byte(text), template); err != nil {
		t.Fatal(err)
	}
	return template
}

const (
	app = "containers: [{name: app, image: 'example.com/app:1', securityContext: {allowPrivilegeEscalation: false, " +
		"capabilities: {drop: [ALL]}, runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}}]"
	tune = "{name: tune, image: 'busybox:1.36', command: [sysctl, -w, net.core.somaxconn=1024], " +
		"securityContext: {privileged: true, runAsUser: 0}}"
	never = "{name: maps, image: 'busybox:1.36', command: [sysctl, -w, vm.max_map_count=262144], " +
		"securityContext: {privileged: true, runAsUser: 0}}"
)

func TestAudit(t *testing.T) {
	auditor, err := New(func(w Workload, _ map[string]string, pod []byte) string {
		if !strings.Contains(string(pod), "sysctl-injector.dev/sysctls") || strings.Contains(string(pod), "tune") {
			t.Errorf("the rejection is about a pod that is not converted: %s", pod)
		}
		if w.Name == "rejected" {
			return "NoPolicy"
		}
		return ""
	}, func(name string) bool { return name == "net.ipv4.tcp_syncookies" }, api.MajorMinorVersion(1, 37))
	if err != nil {
		t.Fatal(err)
	}
	auditor.AddNamespace("labelled", map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
	auditor.AddNamespace("held", map[string]string{"pod-security.kubernetes.io/enforce": "baseline"})
	auditor.AddNamespace("enrolled", map[string]string{"pod-security.kubernetes.io/enforce": "privileged",
		"sysctl-injector.dev/enforce": "restricted"})
	for _, name := range []string{"other-reasons", "plain", "native"} {
		auditor.AddNamespace(name, nil)
	}
	for _, w := range []struct {
		namespace, kind, name, spec string
		shared, guest               bool
	}{
		{"labelled", "Deployment", "web", "{spec: {initContainers: [" + tune + "], " + app + "}}", false, false},
		{"labelled", "StatefulSet", "search", "{spec: {initContainers: [" + tune + ", " + never + "], " + app + "}}",
			false, false},
		{"labelled", "StatefulSet", "search-in-a-guest", "{spec: {initContainers: [" + never + "], " + app + "}}",
			false, true},
		{"labelled", "Search", "logs", "{spec: {initContainers: [" + tune + "], " + app + "}}", true, false},
		{"labelled", "Search", "logs", "{spec: {initContainers: [" + tune + "], " + app + "}}", true, false},
		{"labelled", "Search", "logs", "{spec: {initContainers: [" + never + "], " + app + "}}", true, false},
		{"held", "Deployment", "web", "{spec: {initContainers: [" + tune + "], " + app + "}}", false, false},
		{"enrolled", "Deployment", "web", "{spec: {initContainers: [" + tune + "], " + app + "}}", false, false},
		{"other-reasons", "Deployment", "web", "{spec: {initContainers: [" + tune + "], " + app + "}}", false, false},
		{"other-reasons", "DaemonSet", "agent", "{spec: {hostNetwork: true, " + app + "}}", false, false},
		{"rejected", "Deployment", "rejected", "{spec: {initContainers: [" + tune + "], " + app + "}}", false, false},
		{"plain", "Deployment", "web", "{metadata: {annotations: {sysctl-injector.dev/sysctls: a}}, spec: {" + app +
			"}}", false, false},
		{"native", "Job", "once",
			"{spec: {restartPolicy: Never, securityContext: {sysctls: [{name: net.core.somaxconn, value: '8'}, " +
				"{name: net.ipv4.tcp_syncookies, value: '1'}]}, " +
				"containers: [{name: app, image: 'example.com/app:1'}]}}", false, false},
	} {
		if err := auditor.Add(Workload{
			Namespace: w.namespace, Kind: w.kind, Name: w.name, Template: templateOf(t, w.spec), Shared: w.shared,
			Guest: w.guest,
		}); err != nil {
			t.Fatal(err)
		}
	}
	report := auditor.Report()
	somaxconn := Container{Path: "initContainers[0]", Name: "tune", Sets: []string{"net.core.somaxconn = 1024"},
		Converts: true}
	lines := []string{"net.core.somaxconn = 1024"}
	var found []Finding
	for _, f := range report.Workloads {
		for n := range f.Containers {
			if c := &f.Containers[n]; !c.Converts && f.Name != "rejected" {
				if len(c.Reasons) == 0 {
					t.Errorf("%s/%s stays without a reason", f.Kind, f.Name)
				}
				c.Reasons, c.Sets = nil, nil // convert's own words
			}
		}
		found = append(found, *f)
	}
	want := []Finding{
		{Namespace: "enrolled", Kind: "Deployment", Name: "web", Containers: []Container{somaxconn}, Annotation: lines,
			Verdict: Converts},
		{Namespace: "held", Kind: "Deployment", Name: "web", Containers: []Container{somaxconn}, Annotation: lines,
			Verdict: Converts},
		{Namespace: "labelled", Kind: "Deployment", Name: "web", Containers: []Container{somaxconn}, Annotation: lines,
			Verdict: Converts},
		{Namespace: "labelled", Kind: "Search", Name: "logs", Pods: 2, Containers: []Container{somaxconn},
			Annotation: lines, Verdict: Converts},
		{Namespace: "labelled", Kind: "Search", Name: "logs", Pods: 1,
			Containers: []Container{{Path: "initContainers[0]", Name: "maps"}}, Verdict: Stays},
		{Namespace: "labelled", Kind: "StatefulSet", Name: "search", Containers: []Container{somaxconn,
			{Path: "initContainers[1]", Name: "maps"}}, Annotation: lines, Verdict: Partly},
		{Namespace: "labelled", Kind: "StatefulSet", Name: "search-in-a-guest", Containers: []Container{
			{Path: "initContainers[0]", Name: "maps", Sets: []string{"vm.max_map_count = 262144"}, Converts: true},
		}, Annotation: []string{"vm.max_map_count = 262144"}, Verdict: Converts},
		{Namespace: "native", Kind: "Job", Name: "once", Native: []Native{{Name: "net.core.somaxconn", Value: "8",
			Converts: true}},
			Annotation: []string{"net.core.somaxconn = 8"}, Verdict: Converts},
		{Namespace: "other-reasons", Kind: "Deployment", Name: "web", Containers: []Container{somaxconn},
			Annotation: lines, Verdict: Converts},
		{Namespace: "rejected", Kind: "Deployment", Name: "rejected", Verdict: Stays, Containers: []Container{
			{Path: "initContainers[0]", Name: "tune", Sets: lines, Reasons: []string{"NoPolicy"}},
		}},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	namespaces := []Namespace{
		{Name: "labelled", Label: "privileged", Standard: "restricted"},
		{Name: "native", Standard: "baseline", Converts: true},
	}
	if diff := cmp.Diff(namespaces, report.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Counts{Workloads: 12, Annotated: 1, ByHand: 10, Converts: 7, Partly: 1, Stays: 2},
		report.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// The strictest standard of a namespace depends on the cluster's version: since 1.35, baseline allows an unmasked /proc
// in a user namespace.
func TestAuditByVersion(t *testing.T) {
	const nested = "{spec: {hostUsers: false, initContainers: [" + tune + "], containers: [{name: app, " +
		"image: 'example.com/app:1', securityContext: {procMount: Unmasked}}]}}"
	for minor, want := range map[int][]Namespace{
		34: {}, 35: {{Name: "nested", Standard: "baseline", Converts: true}},
	} {
		auditor, err := New(func(Workload, map[string]string, []byte) string { return "" },
			func(string) bool { return false }, api.MajorMinorVersion(1, minor))
		if err != nil {
			t.Fatal(err)
		}
		auditor.AddNamespace("nested", nil)
		if err := auditor.Add(Workload{Namespace: "nested", Kind: "Deployment", Name: "web",
			Template: templateOf(t, nested)}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, auditor.Report().Namespaces); diff != "" {
			t.Errorf("1.%d (-want +got):\n%s", minor, diff)
		}
	}
}
