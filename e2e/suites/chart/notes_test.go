package chart_test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Each command of the notes is read by the program that it names.
func TestNotes(t *testing.T) {
	known := map[string]bool{}
	for name, test := range map[string]struct{ set, says string }{
		"with defaults": {"",
			"\n  kubectl create namespace shop\n  sysctl-injector enroll shop --enforce restricted\n"},
		"with cert-manager": {"", " wait --for=condition=Ready certificate/sysctl-injector "},
		"without cert-manager": {"certificates: {source: self-managed}",
			"\n  kubectl -n " + elsewhere + " rollout status deployment/sysctl-injector "},
		"with the namespaces that it needs": {"",
			"Do not enroll the namespaces of cert-manager, of the network plugin (CNI) or of DNS."},
		"without the guard": {"guard: {enabled: false}",
			"\n  kubectl create namespace shop\n  kubectl label namespace shop sysctl-injector.dev/inject=enabled\n"},
		"without a policy":         {"defaultPolicy: false", "There is no default policy"},
		"before an uninstallation": {"", `"helm uninstall" fails while a namespace is enrolled.`},
		"on OpenShift":             {"grants: {backend: scc}", "\n  sysctl-injector companion --backend scc "},
		"with required grants": {"grants: {mode: require}",
			"\n  sysctl-injector companion -n shop --serviceaccount default net.core.somaxconn | "},
		"with an image of theirs": {"initContainer: {image: registry.example.com/busybox}",
			"image: \"registry.example.com/busybox\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			output, problem, err := helm(t, test.set, "install", release, chart, "--namespace", elsewhere,
				"--dry-run=client", "-f", "-")
			if err != nil {
				t.Fatalf("%v\n%s", err, problem)
			}
			_, notes, _ := strings.Cut(output, "\nNOTES:\n")
			if !strings.Contains(notes, test.says) {
				t.Errorf("the notes do not say %q:\n%s", test.says, notes)
			}
			checkSample(t, notes)
			for _, match := range command.FindAllStringSubmatch(notes, -1) {
				if !known[match[0]] {
					known[match[0]] = true
					checkCommand(t, match[1], match[2])
				}
			}
		})
	}
}

// The notes name the namespaces whose labels look like an attempt to enroll them.
func TestNotesNameNamespacesWithAWrongLabel(t *testing.T) {
	for name, metadata := range map[string]metav1.ObjectMeta{
		"notes-value":      {Labels: map[string]string{v1alpha1.InjectLabel: "true"}},
		"notes-annotation": {Annotations: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}},
		"notes-open":       {Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}},
	} {
		metadata.Name = name
		must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metadata}))
	}
	output, problem, err := helm(t, "certificates: {source: self-managed}", "install", release, chart, "--namespace",
		elsewhere, "--dry-run=server", "-f", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, problem)
	}
	_, notes, _ := strings.Cut(output, "\nNOTES:\n")
	for _, want := range []string{
		"\n   Namespace notes-value is not enrolled: its label sysctl-injector.dev/inject is \"true\", and not " +
			"\"enabled\".\n",
		"\n   Namespace notes-annotation has the annotation sysctl-injector.dev/inject, which has no effect: it " +
			"is a label.\n",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "notes-open") {
		t.Errorf("the notes name a namespace that is enrolled:\n%s", notes)
	}
}

// A command of the notes has a line of its own. The rest of a pipe is ignored.
var command = regexp.MustCompile(`(?m)^(?:  )?(sysctl-injector|kubectl) ([^|<\n]*)`)

func checkCommand(t *testing.T, program, line string) {
	t.Helper()
	args := append(strings.Fields(strings.ReplaceAll(line, "'", "")), "--help")
	if program == "kubectl" {
		if err := kubectl(t.Context(), suite.Cluster(t), args...); err != nil {
			t.Error(err)
		}
		return
	}
	var problem strings.Builder
	if code := app.Run(args, strings.NewReader(""), io.Discard, &problem); code != 0 {
		t.Errorf("%s %s: exit code %d, %s", program, line, code, problem.String())
	}
}

// checkSample checks that the pod of the notes meets the standard of its namespace. The here-document is not indented:
// a shell takes an indented end marker for text.
func checkSample(t *testing.T, notes string) {
	t.Helper()
	_, rest, _ := strings.Cut(notes, "<<'EOF'\n")
	sample, _, found := strings.Cut(rest, "\nEOF\n")
	if !found {
		t.Fatalf("the notes have no sample:\n%s", notes)
	}
	var pod corev1.Pod
	convert(t, decode(t, sample)[0], &pod)
	assignments, errs := sysctl.Parse(pod.Annotations[v1alpha1.SysctlsAnnotation], nil)
	if len(errs) > 0 || len(assignments) != 1 {
		t.Fatalf("the sample asks for %v: %v", assignments, errs)
	}
	// A pod that was never injected prints the default.
	if parameter := sysctl.FindParameter(assignments[0].Name); assignments[0].Value == parameter.Default {
		t.Errorf("the sample asks for the default of %s", parameter.Name)
	}
	if !strings.Contains(notes, "asked for: "+assignments[0].Value+".") {
		t.Errorf("the notes do not say what the sample prints:\n%s", notes)
	}
	checkRestricted(t, pod.ObjectMeta, pod.Spec)
}
