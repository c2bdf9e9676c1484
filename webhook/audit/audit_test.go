package audit

import (
	"encoding/json"
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
	report := auditor.Report("")
	somaxconn := Container{Path: "initContainers[0]", Name: "tune", Sets: []string{"net.core.somaxconn = 1024"},
		Converts: true}
	lines := []string{"net.core.somaxconn = 1024"}
	var found []Finding
	for _, f := range report.Workloads {
		for n := range f.Containers {
			if c := &f.Containers[n]; !c.Converts && !c.Manual && f.Name != "rejected" {
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
		{Namespace: "labelled", Kind: "Search", Name: "logs", Pods: 2, Containers: []Container{
			{Path: "initContainers[0]", Name: "tune", Sets: lines, Manual: true, Reasons: []string{ofCustomResource}},
		}, Annotation: lines, Verdict: Stays},
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
	if diff := cmp.Diff(Counts{Workloads: 12, Annotated: 1, ByHand: 10, Converts: 6, Partly: 1, Stays: 3},
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
		if diff := cmp.Diff(want, auditor.Report("").Namespaces); diff != "" {
			t.Errorf("1.%d (-want +got):\n%s", minor, diff)
		}
	}
}

// auditAll audits the pods of the given specs in a namespace without labels.
func auditAll(t *testing.T, notJudged string, workloads ...Workload) Report {
	t.Helper()
	auditor, err := New(func(Workload, map[string]string, []byte) string { return "" },
		func(string) bool { return false }, api.LatestVersion())
	if err != nil {
		t.Fatal(err)
	}
	auditor.AddNamespace("shop", nil)
	for _, w := range workloads {
		w.Namespace = "shop"
		if err := auditor.Add(w); err != nil {
			t.Fatal(err)
		}
	}
	return auditor.Report(notJudged)
}

func TestNamespacesAreJudged(t *testing.T) {
	const (
		byHand = "{spec: {initContainers: [" + tune + "], " + app + "}}"
		plain  = "{spec: {" + app + "}}"
		native = "{spec: {securityContext: {sysctls: [{name: net.core.somaxconn, value: '8'}]}, " + app + "}}"
		legacy = "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/tune: unconfined}}, spec: " +
			"{initContainers: [" + tune + "], " + app + "}}"
		open = "{metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/app: unconfined}}, spec: " +
			"{initContainers: [" + tune + "], " + app + "}}"
	)
	for _, test := range []struct {
		name      string
		templates []string
		shared    bool
		notJudged string
		want      []Namespace
	}{
		{"convert closes it", []string{byHand}, false, "", []Namespace{
			{Name: "shop", Standard: "restricted", Converts: true}}},
		{"also beside a workload without sysctls", []string{byHand, plain}, false, "", []Namespace{
			{Name: "shop", Standard: "restricted", Converts: true}}},
		{"convert does not change custom resources", []string{byHand}, true, "", []Namespace{
			{Name: "shop", Standard: "restricted"}}},
		{"nor their native sysctls", []string{native}, true, "", []Namespace{
			{Name: "shop", Standard: "restricted"}}},
		{"the AppArmor annotation of the container goes with it", []string{legacy}, false, "", []Namespace{
			{Name: "shop", Standard: "restricted", Converts: true}}},
		{"that of another container is another reason", []string{open}, false, "", []Namespace{}},
		{"not if some workloads were not audited", []string{byHand}, false, "a reason", []Namespace{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var workloads []Workload
			for _, text := range test.templates {
				workloads = append(workloads, Workload{
					Kind: "Search", Template: templateOf(t, text), Shared: test.shared,
				})
			}
			report := auditAll(t, test.notJudged, workloads...)
			if diff := cmp.Diff(test.want, report.Namespaces); diff != "" || report.NotJudged != test.notJudged {
				t.Errorf("not judged %q, namespaces (-want +got):\n%s", report.NotJudged, diff)
			}
		})
	}
}

// The pods of a custom resource count as one workload, also if they ask by the annotation, or set nothing.
func TestPodsOfACustomResourceCountOnce(t *testing.T) {
	const annotated = "{metadata: {annotations: {sysctl-injector.dev/sysctls: kernel.sem = 1 2 3 4}}, spec: "
	pods := func(text string) (all []Workload) {
		for range 3 {
			all = append(all, Workload{Kind: "Search", Name: "logs", Shared: true, Template: templateOf(t, text)})
		}
		return all
	}
	for text, want := range map[string]Counts{
		annotated + "{initContainers: [" + tune + "], " + app + "}}": {Workloads: 1, Annotated: 1, ByHand: 1, Stays: 1},
		annotated + "{" + app + "}}":                                 {Workloads: 1, Annotated: 1},
		"{spec: {" + app + "}}":                                      {Workloads: 1},
	} {
		if diff := cmp.Diff(want, auditAll(t, "", pods(text)...).Counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// For programs, an empty list is a list.
func TestReportWithoutFindings(t *testing.T) {
	encoded, err := json.Marshal(auditAll(t, ""))
	if err != nil || !strings.Contains(string(encoded), `"workloads":[],"namespaces":[]`) {
		t.Errorf("%v: %s", err, encoded)
	}
}
