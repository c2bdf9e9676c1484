package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// makeDefaults makes a namespace with defaults, and a profile that applies to its pods with the label app=web.
func makeDefaults(t *testing.T, sysctls string) string {
	t.Helper()
	namespace := makeNamespace(t, map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled,
		v1alpha1.DefaultsLabel: v1alpha1.DefaultsEnabled})
	makeProfile(t, namespace, namespace, sysctls, "{matchLabels: {app: web}}")
	// While the guard knows the profile and the server does not, the guard rejects the pod.
	awaitAnswer(t, "the profile to apply", func(ctx context.Context) (string, bool) {
		pod, err := client.CoreV1().Pods(namespace).Create(ctx, newPod("probe", ""),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return fmt.Sprintf("an uninjected pod, error %v", err), err == nil && len(pod.Spec.InitContainers) > 0
	})
	return namespace
}

// makeProfile makes a profile that applies in one namespace, to the pods that a selector selects.
func makeProfile(t *testing.T, namespace, name, sysctls, podSelector string) {
	t.Helper()
	k := newTerminal(t, namespace)
	k.must(fmt.Sprintf("apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlProfile\nmetadata: {name: %s}\nspec:\n"+
		"  sysctls: %q\n  appliesTo:\n"+
		"    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}\n    podSelector: %s\n", name, sysctls,
		namespace, podSelector), "apply", "-f", "-")
	t.Cleanup(func() {
		cmd := suite.Cluster(t).Command(context.Background(), "kubectl", "delete", "sysctlprofile", name)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("delete profile %s: %v\n%s", name, err, output)
		}
	})
}

// wantDefaults checks that a pod has the injected container with its arguments, and a status that names the profile.
func wantDefaults(t *testing.T, pod *corev1.Pod, profile string, args ...string) {
	t.Helper()
	if len(pod.Spec.InitContainers) == 0 ||
		strings.Join(pod.Spec.InitContainers[0].Args, " ") != strings.Join(args, " ") {
		t.Errorf("pod %s has the init containers %v, want one with %v", pod.Name, pod.Spec.InitContainers, args)
	}
	if status := pod.Annotations[v1alpha1.StatusAnnotation]; !strings.Contains(status,
		fmt.Sprintf(`"defaults":[%q]`, profile)) {
		t.Errorf("pod %s: the status %s does not name profile %s", pod.Name, status, profile)
	}
}

// Not in parallel with other tests, which would see its profile in lists of all profiles.
func TestDefaults(t *testing.T) {
	namespace := makeDefaults(t, "net.core.somaxconn = 4096")
	for _, test := range []struct {
		name   string
		tweak  func(*corev1.Pod)
		args   []string
		denied string
	}{
		{name: "applies", args: []string{"net.core.somaxconn=4096"}},
		{name: "own-line", tweak: func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 512"}
		}, args: []string{"net.core.somaxconn=512"}},
		{name: "opts-out",
			tweak: func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.ProfilesAnnotation: ""} }},
		{name: "opts-out-of-all",
			tweak: func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.InjectAnnotation: "false"} }},
		{name: "other-label", tweak: func(p *corev1.Pod) { p.Labels = map[string]string{"app": "db"} }},
		{name: "no-label", tweak: func(p *corev1.Pod) { p.Labels = nil }},
		{name: "host-network", tweak: func(p *corev1.Pod) { p.Spec.HostNetwork = true },
			denied: fmt.Sprintf("HostNetwork: metadata.annotations[sysctl-injector.dev/profiles]: Forbidden: default "+
				"profile %q, line 1: net.core.somaxconn would change the node: ", namespace)},
		{name: "windows", tweak: func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
			denied: `it the annotation sysctl-injector.dev/profiles: ""`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := newPod(test.name, "")
			if test.tweak != nil {
				test.tweak(pod)
			}
			created, err := clustertest.CreatePod(t.Context(), client.CoreV1().Pods(namespace), pod)
			switch {
			case test.denied != "":
				if err == nil || !strings.Contains(err.Error(), test.denied) {
					t.Errorf("error %v, want %s", err, test.denied)
				}
			case err != nil:
				t.Error(err)
			case test.args == nil:
				wantUntouched(t, created)
			default:
				wantDefaults(t, created, namespace, test.args...)
			}
		})
	}
}

// A webhook after ours gives the pod the label by which a profile applies: the API server asks again. Not in
// parallel, as above.
func TestDefaultsOfALabelThatAnotherWebhookAdds(t *testing.T) {
	namespace := makeDefaults(t, "net.core.somaxconn = 4096")
	otherWebhook{after, func(pod *corev1.Pod) []operation {
		if pod.Labels["app"] == "web" {
			return nil
		}
		return []operation{{"add", "/metadata/labels/app", "web"}}
	}}.install(t, namespace)
	pod := newPod("late", "")
	pod.Labels = map[string]string{"app": "unknown"}
	created, err := clustertest.CreatePod(t.Context(), client.CoreV1().Pods(namespace), pod)
	must(t, err)
	wantDefaults(t, created, namespace, "net.core.somaxconn=4096")
}

// While the webhook is down, no pod is created in a namespace with defaults, and pods elsewhere are. Not in parallel
// with the tests that need the webhook.
func TestDefaultsInAnOutage(t *testing.T) {
	namespace, other := makeDefaults(t, "net.core.somaxconn = 4096"), makeNamespace(t, enrolled)
	server := installed.Server()
	server.Kill()
	t.Cleanup(func() {
		if installed.Server() == server {
			if err := installed.Restart(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	why := `failed calling webhook "` + admission.DefaultPodsEntry + `": `
	unlabelled := newPod("unlabelled", "")
	unlabelled.Labels = nil
	for _, pod := range []*corev1.Pod{newPod("selected", ""), unlabelled} {
		if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err == nil ||
			!strings.Contains(err.Error(), why) {
			t.Errorf("pod %s: error %v, want %s", pod.Name, err, why)
		}
	}
	optedOut := newPod("opted-out", "")
	optedOut.Annotations = map[string]string{v1alpha1.InjectAnnotation: "false"}
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), optedOut, metav1.CreateOptions{}); err != nil {
		t.Errorf("a pod that has opted out: %v", err)
	}
	if err := create(t.Context(), other, ""); err != nil {
		t.Errorf("a pod that asks for nothing, elsewhere: %v", err)
	}
	must(t, installed.Restart(t.Context()))
	awaitInjection(t, other)
	created, err := clustertest.CreatePod(t.Context(), client.CoreV1().Pods(namespace), newPod("afterwards", ""))
	must(t, err)
	wantDefaults(t, created, namespace, "net.core.somaxconn=4096")
}

// The guard rejects a pod that the webhook has not given its defaults. Here the webhook's configuration is deleted, so
// that only the guard applies them. Not in parallel with the tests that need the webhook.
func TestGuardRejectsPodsWithoutTheirDefaults(t *testing.T) {
	namespace := makeDefaults(t, "net.core.somaxconn = 4096")
	makeProfile(t, namespace, namespace+".tier", "net.ipv4.tcp_tw_reuse = 1",
		`{matchExpressions: [{key: tier, operator: In, values: [front, edge]}, {key: legacy, operator: DoesNotExist}]}`)
	makeProfile(t, namespace, namespace+".zone", "net.ipv4.tcp_fin_timeout = 30",
		`{matchExpressions: [{key: zone, operator: Exists}, {key: zone, operator: NotIn, values: [lab]}]}`)
	register, err := installed.Unregister(t.Context())
	must(t, err)
	defer func() { // not as a cleanup: the test's context ends before cleanups
		if err := register(context.Background()); err != nil {
			t.Error(err)
		}
		eventually(t, "the webhook to be called again", func(ctx context.Context) (bool, error) {
			// Until then, the guard rejects the pod.
			pod, err := client.CoreV1().Pods(namespace).Create(ctx, newPod("probe", ""),
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err == nil && len(pod.Spec.InitContainers) > 0, nil
		})
	}()
	try := func(ctx context.Context, tweak func(*corev1.Pod)) error {
		pod := newPod("unseen", "")
		tweak(pod)
		_, err := client.CoreV1().Pods(namespace).
			Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	labelled := func(labels map[string]string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Labels = labels } }
	status := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.StatusAnnotation: text} }
	}
	edge := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { labelled(map[string]string{"tier": "edge"})(p); status(text)(p) }
	}
	denied := func(err error, profile string) bool {
		return err != nil && strings.Contains(err.Error(),
			fmt.Sprintf("SysctlProfile %q applies to the pod by default, and the webhook of sysctl-injector did "+
				"not apply it: ", profile))
	}
	for _, test := range []struct {
		name    string
		tweak   func(*corev1.Pod)
		profile string // named in the rejection; "" if the pod is created
	}{
		{"a label", labelled(map[string]string{"app": "web"}), ""},
		{"a value of a list", labelled(map[string]string{"tier": "edge"}), ".tier"},
		{"a label that exists, with another value", labelled(map[string]string{"zone": "a"}), ".zone"},
	} {
		eventually(t, "the guard to reject a pod with "+test.name, func(ctx context.Context) (bool, error) {
			return denied(try(ctx, test.tweak), namespace+test.profile), nil
		})
	}
	for name, tweak := range map[string]func(*corev1.Pod){
		"no labels":                       labelled(nil),
		"another value":                   labelled(map[string]string{"app": "db", "tier": "back", "zone": "lab"}),
		"a label that must not be there":  labelled(map[string]string{"tier": "edge", "legacy": ""}),
		"a status that names the profile": status(`{"defaults":["a","` + namespace + `"]}`),
		"a status with a dot in the name": edge(`{"defaults":["` + namespace + `.tier"]}`),
		"an empty list of profiles": func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.ProfilesAnnotation: " "}
		},
		"inject false": func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.InjectAnnotation: "false"}
		},
	} {
		if err := try(t.Context(), tweak); err != nil {
			t.Errorf("a pod with %s: %v", name, err)
		}
	}
	for _, text := range []string{`{}`, `{"defaults":["a"],"from":{"` + namespace + `":"x"}}`,
		`{"defaults":["` + namespace + `.tier"]}`} {
		if err := try(t.Context(), status(text)); !denied(err, namespace) {
			t.Errorf("a pod with the status %s: %v", text, err)
		}
	}
	// A dot in a profile's name stands only for itself.
	if err := try(t.Context(), edge(`{"defaults":["`+namespace+`-tier"]}`)); !denied(err, namespace+".tier") {
		t.Errorf("a pod whose status names a similar profile: %v", err)
	}
}

// The API server checks the policy's expressions against the types of pods and profiles. The guard's own suite has no
// profiles.
func TestGuardDefaultsHaveNoTypeErrors(t *testing.T) {
	t.Parallel()
	suite.Cluster(t)
	eventually(t, "the types to be checked", func(ctx context.Context) (bool, error) {
		policy, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().
			Get(ctx, defaults, metav1.GetOptions{})
		if err != nil || policy.Status.ObservedGeneration < policy.Generation || policy.Status.TypeChecking == nil {
			return false, err
		}
		for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
			t.Errorf("%s: %s", warning.FieldRef, warning.Warning)
		}
		return true, nil
	})
}
