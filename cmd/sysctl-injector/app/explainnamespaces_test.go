package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// namespacesNamed starts a cluster with these namespaces, a SysctlProfile that is invalid, and no SysctlPolicy. It
// returns a kubeconfig for it.
func namespacesNamed(t *testing.T, names ...string) (kubeconfig string) {
	t.Helper()
	list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	for _, name := range names {
		list.Items = append(list.Items, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	const version = "sysctl-injector.dev/v1alpha1"
	return answers{
		"GET /api/v1/namespaces": answer(list),
		"GET /apis/sysctl-injector.dev/v1alpha1/sysctlpolicies": answer(v1alpha1.SysctlPolicyList{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "SysctlPolicyList"}}),
		"GET /apis/sysctl-injector.dev/v1alpha1/sysctlprofiles": answer(v1alpha1.SysctlProfileList{
			TypeMeta: metav1.TypeMeta{APIVersion: version, Kind: "SysctlProfileList"},
			Items: []v1alpha1.SysctlProfile{{
				ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Spec: v1alpha1.SysctlProfileSpec{Sysctls: "kernel.sem"},
			}},
		}),
	}.serve(t)
}

// largest keeps what is written, and the length of the largest part.
type largest struct {
	bytes.Buffer
	part int
}

func (l *largest) Write(text []byte) (int, error) {
	l.part = max(l.part, len(text))
	return l.Buffer.Write(text)
}

// In a large cluster, the answers for all namespaces would not fit into memory.
func TestExplainPrintsOneNamespaceAtATime(t *testing.T) {
	kubeconfig := namespacesNamed(t, "a", "b", "c")
	for _, format := range []string{"table", "json", "yaml"} {
		var out largest
		var errOut strings.Builder
		code := Run([]string{"explain", "--all", "-A", "-o", format, "--kubeconfig", kubeconfig}, strings.NewReader(""),
			&out, &errOut)
		if code != 0 || errOut.String() != "The policies are those of the cluster.\n" {
			t.Fatalf("%s: exit code %d, error %q", format, code, &errOut)
		}
		if out.part > out.Len()/3+100 {
			t.Errorf("%s: writes %d of %d bytes at once", format, out.part, out.Len())
		}
	}
	var table strings.Builder
	if err := printAnswers(&table, func(yield func(namespaceAnswer) bool) {
		for _, name := range []string{"a", "b", "c"} {
			if !yield(namespaceAnswer{Namespace: name, Sysctls: make([]Explanation, pageSize)}) {
				return
			}
			if !strings.Contains(table.String(), "\n"+name+" ") {
				t.Errorf("the table does not have namespace %s yet", name)
			}
		}
	}); err != nil {
		t.Error(err)
	}
}

// The output is one list, as if it were written at once.
func TestExplainPrintsAListOfNamespaces(t *testing.T) {
	kubeconfig := namespacesNamed(t, "a", "longer-name")
	explainAs := func(format string) string {
		code, out, errOut := run(t, "", "explain", "kernel.sem", "kernel.shmmax", "-A", "-o", format, "--kubeconfig",
			kubeconfig)
		if code != 1 || errOut != "The policies are those of the cluster.\n" {
			t.Fatalf("%s: exit code %d, error %q", format, code, errOut)
		}
		return out
	}
	var answers []namespaceAnswer
	out := explainAs("json")
	if err := json.Unmarshal([]byte(out), &answers); err != nil || len(answers) != 2 {
		t.Fatalf("%d answers, %v in\n%s", len(answers), err, out)
	}
	atOnce, err := json.MarshalIndent(answers, "", "  ")
	if diff := cmp.Diff(string(atOnce)+"\n", out); diff != "" || err != nil {
		t.Errorf("json: %v (-want +got):\n%s", err, diff)
	}
	atOnce, err = yaml.Marshal(answers)
	if diff := cmp.Diff(string(atOnce), explainAs("yaml")); diff != "" || err != nil {
		t.Errorf("yaml: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(`NAMESPACE     ENROLLED   NAME            SHARED KERNEL            GUEST KERNEL
a             no         kernel.sem      no: NotAllowedByPolicy   no: NotAllowedByPolicy
a             no         kernel.shmmax   no: NotAllowedByPolicy   no: NotAllowedByPolicy
longer-name   no         kernel.sem      no: NotAllowedByPolicy   no: NotAllowedByPolicy
longer-name   no         kernel.shmmax   no: NotAllowedByPolicy   no: NotAllowedByPolicy
`, strings.Split(explainAs("table"), "\n\n")[0]+"\n"); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// The person learns why a profile of the cluster counts for nothing.
func TestExplainNamesTheMistakeInAProfile(t *testing.T) {
	for profile, want := range map[string]string{
		"broken": "error: --profile: SysctlProfile \"broken\" is invalid: spec.sysctls: Invalid value: " +
			"\"kernel.sem\": line 1: there is no \"=\": ",
		"missing": "error: --profile missing: there is no such SysctlProfile; ",
	} {
		_, out, errOut := run(t, "", "explain", "-A", "--profile", profile, "--kubeconfig", namespacesNamed(t, "a"))
		if out != "" || !strings.HasPrefix(errOut, want) {
			t.Errorf("%s: output %q, error %q", profile, out, errOut)
		}
	}
}
