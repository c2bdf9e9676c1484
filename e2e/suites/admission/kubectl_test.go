package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

const somaxconn = "net.core.somaxconn = 32768"

func TestApplyOfALivePodsOwnYAML(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(manifest(t, newPod("web", somaxconn)), "apply", "-f", "-")
	first := getPod(t, namespace, "web")
	saved := k.must("", "get", "pod", "web", "-o", "yaml")
	k.must("", "delete", "pod", "web", "--now")
	k.prints("pod/web created\n", saved, "apply", "-f", "-")
	second := getPod(t, namespace, "web")
	if second.UID == first.UID {
		t.Fatal("it is still the first pod")
	}
	wantInjected(t, second, "net.core.somaxconn=32768")
	if diff := cmp.Diff(first.Spec, second.Spec); diff != "" {
		t.Errorf("the second pod differs (-first +second):\n%s", diff)
	}
}

func TestApplyTwice(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--server-side=false"}, {"--server-side=true"}} {
		t.Run(flags[0], func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, enrolled)
			k := newTerminal(t, namespace)
			pod := manifest(t, newPod("web", somaxconn))
			k.must(pod, append(flags, "apply", "-f", "-")...)
			first := getPod(t, namespace, "web")
			wantInjected(t, first, "net.core.somaxconn=32768")
			k.must(pod, append(flags, "apply", "-f", "-")...)
			if diff := cmp.Diff(withoutIdentity(t, first),
				withoutIdentity(t, getPod(t, namespace, "web"))); diff != "" {
				t.Errorf("to apply the same again changes the pod (-first +second):\n%s", diff)
			}
		})
	}
}

func TestInjectedManifestIsTheSameAsTheWebhooks(t *testing.T) {
	t.Parallel()
	source := manifest(t, newPod("web", somaxconn))
	pods := map[string]*corev1.Pod{}
	for name, labels := range map[string]map[string]string{"enrolled": enrolled, "not enrolled": nil} {
		namespace := makeNamespace(t, labels)
		k := newTerminal(t, namespace)
		k.must(k.program(source, "inject", "-f", "-", "--init-image="+initImage), "apply", "-f", "-")
		pods[name] = getPod(t, namespace, "web")
		wantInjected(t, pods[name], "net.core.somaxconn=32768")
	}
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace).must(source, "apply", "-f", "-")
	webhooks := getPod(t, namespace, "web")
	for name, pod := range pods {
		if diff := cmp.Diff(withoutIdentity(t, webhooks), withoutIdentity(t, pod)); diff != "" {
			t.Errorf("the pod of the injected manifest, %s, differs (-by the webhook +by the manifest):\n%s", name,
				diff)
		}
	}
}

// An image that is not the administrator's is replaced in a manifest too, and a warning names both.
func TestInjectedManifestWithAnotherImage(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	_, stderr, err := k.run(k.program(manifest(t, newPod("web", somaxconn)), "inject", "-f", "-"), "apply", "-f", "-")
	want := `Warning: init container "sysctl-injector" was replaced by the one that belongs there; it differed in ` +
		`image; its image was "` +
		form.DefaultImage() + `", and is "` + initImage + `"` + "\n"
	if err != nil || stderr != want {
		t.Fatalf("kubectl apply: %v; it says %q, want %q", err, stderr, want)
	}
	wantInjected(t, getPod(t, namespace, "web"), "net.core.somaxconn=32768")
}

func TestServerSideDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	// No other test asks for this sysctl, so its grants belong to this pod.
	const sysctl, role = "net.ipv4.tcp_reordering", "sysctl-injector:net.ipv4.tcp_reordering"
	source := manifest(t, newPod("web", sysctl+" = 30"))
	printed := k.must(source, "apply", "--dry-run=server", "-o", "yaml", "-f", "-")
	var pod corev1.Pod
	must(t, yaml.UnmarshalStrict([]byte(printed), &pod))
	wantInjected(t, &pod, sysctl+"=30")
	if _, err := client.CoreV1().Pods(namespace).
		Get(t.Context(), "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the pod is there: %v", err)
	}
	bindings, err := client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(bindings.Items) > 0 {
		t.Errorf("the namespace has the role bindings %v (%v), want none", bindings.Items, err)
	}
	if _, err := client.RbacV1().ClusterRoles().
		Get(t.Context(), role, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the cluster role is there: %v", err)
	}

	// Without the dry run, the same command writes everything.
	k.must(source, "apply", "-f", "-")
	wantInjected(t, getPod(t, namespace, "web"), sysctl+"=30")
	bindings, err = client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(bindings.Items) != 1 || bindings.Items[0].RoleRef.Name != role {
		t.Errorf("the namespace has the role bindings %v (%v), want one to %s", bindings.Items, err, role)
	}
	if _, err := client.RbacV1().ClusterRoles().Get(t.Context(), role, metav1.GetOptions{}); err != nil {
		t.Errorf("the cluster role: %v", err)
	}
}

func TestPodOfKubectlRunIsInjected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace).prints("pod/shell created\n", "", "run", "shell", "--image=busybox:1.36",
		"--annotations="+v1alpha1.SysctlsAnnotation+"=net.core.somaxconn=1024")
	wantInjected(t, getPod(t, namespace, "shell"), "net.core.somaxconn=1024")
}

func TestPodWithGenerateNameIsInjected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	pod := newPod("", somaxconn)
	pod.GenerateName = "web-"
	k := newTerminal(t, namespace)
	for range 2 {
		k.must(manifest(t, pod), "create", "-f", "-")
	}
	for _, created := range awaitPods(t, namespace, "app=web", 2) {
		wantInjected(t, &created, "net.core.somaxconn=32768")
	}
	pod.Annotations[v1alpha1.SysctlsAnnotation] = "net.core.somaxconn ="
	k.fails(denied("InvalidAnnotation: "+annotation+`Required value: line 1: net.core.somaxconn has no value: write `+
		`"name = value"`), manifest(t, pod), "create", "-f", "-")
}

func TestDebugKeepsTheInjectedContainer(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(manifest(t, newPod("web", somaxconn)), "create", "-f", "-")

	k.must("", "debug", "web", "--image=busybox:1.36", "--container=debugger", "--", "sleep", "60")
	pod := getPod(t, namespace, "web")
	wantInjected(t, pod, "net.core.somaxconn=32768")
	if len(pod.Spec.EphemeralContainers) != 1 || pod.Spec.EphemeralContainers[0].Name != "debugger" {
		t.Errorf("the pod's ephemeral containers are %v, want debugger", pod.Spec.EphemeralContainers)
	}

	// kubectl removes the annotations from a copy, but keeps the injected container, which nothing asks for then. The
	// profile is the default of newer versions of kubectl. The default of 1.31 keeps the annotations.
	copyTo := func(flags ...string) []string {
		return append(append([]string{"debug", "web", "--profile=general", "--image=busybox:1.36",
			"--container=debugger"}, flags...), "--", "sleep", "60")
	}
	k.fails("Error from server (Forbidden): "+rejection("ReservedName: spec.initContainers[0]"+reservedName), "",
		copyTo("--copy-to=rejected")...)
	k.must("", copyTo("--copy-to=whole", "--keep-annotations")...)
	wantInjected(t, getPod(t, namespace, "whole"), "net.core.somaxconn=32768")
	k.must("", copyTo("--copy-to=asking", "--keep-annotations", "--keep-init-containers=false")...)
	wantInjected(t, getPod(t, namespace, "asking"), "net.core.somaxconn=32768")
	k.must("", copyTo("--copy-to=bare", "--keep-init-containers=false")...)
	wantUntouched(t, getPod(t, namespace, "bare"))
}

func TestServiceAccountToken(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	without := newPod("without", somaxconn)
	without.Spec.AutomountServiceAccountToken = new(bool)
	for _, pod := range []*corev1.Pod{newPod("with", somaxconn), without} {
		k.must(manifest(t, pod), "create", "-f", "-")
	}
	for name, volumes := range map[string]int{"with": 1, "without": 0} {
		pod := getPod(t, namespace, name)
		if len(pod.Spec.Volumes) != volumes || len(pod.Spec.Containers[0].VolumeMounts) != volumes {
			t.Errorf("pod %s has the volumes %v, want %d", name, pod.Spec.Volumes, volumes)
		}
		// With the token's mount if there is a token, and without it otherwise.
		wantInjected(t, pod, "net.core.somaxconn=32768")
	}
}

// withoutIdentity removes the fields that differ between any two pods, and the records of who created them.
func withoutIdentity(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	pod = pod.DeepCopy()
	pod.ObjectMeta = metav1.ObjectMeta{Name: pod.Name, GenerateName: pod.GenerateName, Labels: pod.Labels,
		Annotations: pod.Annotations}
	delete(pod.Annotations, corev1.LastAppliedConfigAnnotation)
	pod.Status = corev1.PodStatus{QOSClass: pod.Status.QOSClass}
	clustertest.RenameTokenVolume(pod)
	return pod
}
