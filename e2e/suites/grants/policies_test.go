package grants_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// answer returns the error of a dry-run creation of a pod, or "" if it would be admitted.
func answer(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	err := admin.Create(t.Context(), pod, client.DryRunAll)
	if err == nil {
		return ""
	}
	return strings.TrimPrefix(err.Error(), `admission webhook "pods.sysctl-injector.dev" denied the request: `)
}

// awaitAnswer waits until the server acts by the changed objects.
func awaitAnswer(t *testing.T, pod *corev1.Pod, want string) {
	t.Helper()
	untilAnswer(t, fmt.Sprintf("the answer %q", want), func(context.Context) (string, bool) {
		last := answer(t, pod.DeepCopy())
		return strconv.Quote(last), last == want
	})
}

// awaitReady waits until the status of a policy or profile says whether it is in force, and compares it.
func awaitReady(t *testing.T, object client.Object, conditions *[]metav1.Condition, status metav1.ConditionStatus,
	message string) {
	t.Helper()
	awaitObject(t, object.GetName()+" to tell its state", object, func(object client.Object) bool {
		ready := meta.FindStatusCondition(*conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.ObservedGeneration == object.GetGeneration() && ready.Status == status &&
			ready.Message == message
	})
}

const nameForm = `a sysctl name is words joined by single dots, such as net.core.somaxconn: ".." is not allowed`

const annotationPath = "metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: "

// A policy or profile that is created, changed or deleted takes effect without a restart.
func TestPoliciesReload(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	pod := newPod(namespace, "default", "net.core.somaxconn")
	bounded := func(nearest string) string {
		return "NotAllowedByPolicy: " + annotationPath +
			`net.core.somaxconn is not allowed by any SysctlPolicy for service account "default" in namespace "` +
			namespace + `"` + nearest + "; an administrator can allow it in a SysctlPolicy"
	}

	shipped := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(shipped), shipped))
	must(t, admin.Delete(t.Context(), shipped))
	t.Cleanup(func() {
		shipped.ResourceVersion, shipped.UID, shipped.Status = "", "", v1alpha1.SysctlPolicyStatus{}
		must(t, admin.Create(context.WithoutCancel(t.Context()), shipped))
	})
	awaitAnswer(t, pod, "NoPolicy: "+annotationPath+"net.core.somaxconn is not allowed: there is no SysctlPolicy, so "+
		"nothing is; an administrator can create one")

	policy := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "reload"},
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.core.*"}}}}}
	must(t, admin.Create(t.Context(), policy))
	t.Cleanup(func() {
		must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), policy)))
	})
	awaitAnswer(t, pod, "")

	change := func(patch string) {
		t.Helper()
		must(t, admin.Patch(t.Context(), policy, client.RawPatch(types.MergePatchType, []byte(patch))))
	}
	change(`{"spec": {"allow": [{"names": ["net.core.*"], "max": 512}]}}`)
	awaitAnswer(t, pod,
		bounded(`: the nearest one, SysctlPolicy "reload", allows only whole numbers up to 512, not "1024"`))
	change(`{"spec": {"allow": [{"names": ["net.core.*"], "oneOf": ["1024"]}]}}`)
	awaitAnswer(t, pod, "")
	change(`{"spec": {"namespaceSelector": {"matchLabels": {"example.com/trust": "some"}}}}`)
	awaitAnswer(t, pod, bounded(""))
	must(t, admin.Patch(t.Context(), namespaceObject(namespace), client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"labels": {"example.com/trust": "some"}}}`))))
	awaitAnswer(t, pod, "")

	// A policy that cannot be read is no longer in force, and the others still are.
	awaitReady(t, policy, &policy.Status.Conditions, metav1.ConditionTrue, "in force")
	other := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "reload-other"},
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"kernel.sem"}}}}}
	must(t, admin.Create(t.Context(), other))
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), other)) })
	change(`{"spec": {"allow": [{"names": ["net.core.somaxconn", "net..core"]}]}}`)
	awaitReady(t, policy, &policy.Status.Conditions, metav1.ConditionFalse,
		`spec.allow[0].names[1]: Invalid value: "net..core": `+nameForm)
	awaitReady(t, other, &other.Status.Conditions, metav1.ConditionTrue, "in force")
	awaitAnswer(t, pod, bounded(""))
	awaitAnswer(t, newPod(namespace, "default", "kernel.sem = 250 32000 100 128"), "")
	change(`{"spec": {"allow": [{"names": ["net.core.somaxconn"]}]}}`)
	awaitReady(t, policy, &policy.Status.Conditions, metav1.ConditionTrue, "in force")
	awaitAnswer(t, pod, "")

	// Profiles likewise.
	profile := &v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: "reload"},
		Spec: v1alpha1.SysctlProfileSpec{Sysctls: "net.core.somaxconn = "}}
	must(t, admin.Create(t.Context(), profile))
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), profile)) })
	awaitReady(t, profile, &profile.Status.Conditions, metav1.ConditionFalse,
		`spec.sysctls: Required value: line 1: net.core.somaxconn has no value: write "name = value"`)
	byProfile := newPod(namespace, "default")
	byProfile.Annotations = map[string]string{v1alpha1.ProfilesAnnotation: "reload"}
	awaitAnswer(t, byProfile,
		`InvalidAnnotation: metadata.annotations[sysctl-injector.dev/profiles]: Invalid value: "reload": `+
			`SysctlProfile "reload" cannot be read: spec.sysctls: Required value: line 1: net.core.somaxconn `+
			`has no value: `+
			`write "name = value"; an administrator has to correct it`)
	must(t, admin.Patch(t.Context(), profile, client.RawPatch(types.MergePatchType,
		[]byte(`{"spec": {"sysctls": "net.core.somaxconn = 1024"}}`))))
	awaitReady(t, profile, &profile.Status.Conditions, metav1.ConditionTrue, "in force")
	awaitAnswer(t, byProfile, "")
}

// ofOlder removes the types of values that only API servers of 1.31 print.
var ofOlder = strings.NewReplacer(`Invalid value: "object": `, "Invalid value: ", `Invalid value: "null": `,
	"Invalid value: null: ")

// kubectl shows why the API rejects a policy, and lists the existing policies.
func TestPoliciesAtTheTerminal(t *testing.T) {
	newSite(t, serverConfig{})
	policy := func(rule string) string {
		return "apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlPolicy\nmetadata: {name: terminal}\n" +
			"spec: {allow: [" + rule + "]}\n"
	}
	const patternForm = `spec.allow[0].names[0] in body should match '^[a-z0-9_][A-Za-z0-9_./-]*\*?$|^\*$|` +
		`^net[./](\*[./]neigh|ipv[46][./](conf|neigh)|mpls[./]conf)[./]\*[./][A-Za-z0-9_-]*\*?$'`
	const invalid = `The SysctlPolicy "terminal" is invalid: `
	for _, test := range []struct{ name, input, want string }{
		{"min above max", policy(`{names: [net.core.somaxconn], min: 2, max: 1}`),
			invalid + `spec.allow[0].min: Invalid value: min must not be greater than max`},
		{"a name with a blank", policy(`{names: ["net core"]}`),
			invalid + `spec.allow[0].names[0]: Invalid value: "net core": ` + patternForm},
		{"an asterisk in the middle", policy(`{names: ["net.*.forwarding"]}`),
			invalid + `spec.allow[0].names[0]: Invalid value: "net.*.forwarding": ` + patternForm},
		{"an asterisk for a part of an interface", policy(`{names: ["net.ipv4.conf.eth*.forwarding"]}`),
			invalid + `spec.allow[0].names[0]: Invalid value: "net.ipv4.conf.eth*.forwarding": ` + patternForm},
		{"no names", policy(`{names: []}`), invalid +
			`spec.allow[0].names: Invalid value: 0: spec.allow[0].names in body should have at least 1 items`},
		{"no rules", policy(``), invalid +
			`spec.allow: Invalid value: 0: spec.allow in body should have at least 1 items`},
		{"a kernel that is none", policy(`{names: [net.core.somaxconn], kernels: [Host]}`), invalid + "\n" +
			"* spec.allow[0].kernels[0]: Unsupported value: \"Host\": supported values: \"Shared\", \"Guest\"\n" +
			"* <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; " +
			"correct the existing errors to complete validation"},
		{"a misspelt field", policy(`{names: [net.core.somaxconn], maximum: 1}`),
			`Error from server (BadRequest): error when creating "STDIN": SysctlPolicy in version "v1alpha1" cannot ` +
				`be handled as a SysctlPolicy: strict decoding error: unknown field "spec.allow[0].maximum"`},
		{"a profile without sysctls",
			"apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlProfile\nmetadata: {name: terminal}\n" +
				"spec: {sysctls: ''}\n", `The SysctlProfile "terminal" is invalid: spec.sysctls: Invalid value: "": ` +
				`spec.sysctls in body should be at least 1 chars long`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, err := kubectl(t, test.input, "create", "-f", "-")
			stderr = ofOlder.Replace(stderr)
			if diff := cmp.Diff(test.want+"\n", stderr); err == nil || diff != "" {
				t.Errorf("kubectl: %v (-want +got):\n%s", err, diff)
			}
		})
	}

	_, stderr, err := kubectl(t, policy(`{names: ["net..x", "net.core.*"]}`), "create", "-f", "-")
	if err != nil {
		t.Fatal(stderr)
	}
	broken := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "terminal"}}
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), broken)) })
	eventually(t, "the policy to tell its state", func(ctx context.Context) (bool, error) {
		return len(broken.Status.Conditions) > 0, admin.Get(ctx, client.ObjectKeyFromObject(broken), broken)
	})
	age, blanks := regexp.MustCompile(`[0-9]+m?[0-9]*s *\n`), regexp.MustCompile(` +`)
	for _, test := range []struct{ args, want string }{
		{"get sysctlpolicies", "NAME NAMES ACTIONS WOULD-REJECT READY AGE\n" +
			"default net.*,kernel.shm*,kernel.msg*,kernel.sem,fs.mqueue.*,vm.*,fs.* True AGE\nterminal " +
			"net..x,net.core.* False AGE\n"},
		{"get scp terminal -o wide", "NAME NAMES ACTIONS WOULD-REJECT READY REASON AGE\n" +
			`terminal net..x,net.core.* False spec.allow[0].names[0]: Invalid value: "net..x": ` + nameForm + " AGE\n"},
	} {
		stdout, stderr, err := kubectl(t, "", strings.Fields(test.args)...)
		if err != nil {
			t.Fatal(stderr)
		}
		got := blanks.ReplaceAllString(age.ReplaceAllString(stdout, "AGE\n"), " ")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("kubectl %s (-want +got):\n%s", test.args, diff)
		}
	}
}
