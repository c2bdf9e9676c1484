package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestAnnotatedPodInAnEnrolledNamespaceIsInjected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.prints("pod/web created\n", manifest(t,
		newPod("web", "# comments stay out\nnet.core.somaxconn = 32768\n"+
			"net.ipv4.ip_local_port_range = 32768   65535\n")), "create", "-f", "-")
	wantInjected(t, getPod(t, namespace, "web"), "net.core.somaxconn=32768", "net.ipv4.ip_local_port_range=32768 65535")
	k.prints("pod/web\n", "", "get", "pods", "-l", "sysctl-injector.dev/injected=true", "-o", "name")
}

func TestPodWithoutAnnotationInAnEnrolledNamespaceStaysAsItIs(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace).must(manifest(t, newPod("web", "")), "create", "-f", "-")
	wantUntouched(t, getPod(t, namespace, "web"))
}

func TestPodsInOtherNamespacesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		"without the label":          nil,
		"with another value of it":   {v1alpha1.InjectLabel: "disabled"},
		"with only the guard's":      {v1alpha1.EnforceLabel: "baseline"},
		"with the annotation's true": {v1alpha1.InjectLabel: "true"},
	}
	for name, labels := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, labels)
			// The webhook does not even look at a pod that it would reject.
			newTerminal(t, namespace).must(manifest(t, newPod("web", "net.core.somaxconn = 32768"),
				newPod("odd", "rubbish")), "create", "-f", "-")
			wantUntouched(t, getPod(t, namespace, "web"))
			wantUntouched(t, getPod(t, namespace, "odd"))
		})
	}
}

func TestAnnotationInjectFalseOptsOut(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	for value, wanted := range map[string]bool{"false": false, "true": true} {
		pod := newPod("inject-"+value, "net.core.somaxconn = 32768")
		pod.Annotations[v1alpha1.InjectAnnotation] = value
		k.must(manifest(t, pod), "create", "-f", "-")
		if created := getPod(t, namespace, pod.Name); wanted {
			wantInjected(t, created, "net.core.somaxconn=32768")
		} else {
			wantUntouched(t, created)
		}
	}
}

func TestSystemNamespacesAreNeverInjected(t *testing.T) {
	t.Parallel()
	control := makeNamespace(t, nil)
	k := newTerminal(t, control)
	k.must("", "label", "namespace", "kube-system", "sysctl-injector-system", control,
		v1alpha1.InjectLabel+"="+v1alpha1.InjectEnabled)
	// Labels reach the API server's own cache in the order in which they were set: when it knows the last, it knows
	// all.
	awaitInjection(t, control)
	for _, namespace := range []string{"kube-system", "sysctl-injector-system"} {
		must(t, clustertest.MakeServiceAccounts(t.Context(), client, namespace, "default"))
		newTerminal(t, namespace).must(manifest(t, newPod("web", "net.core.somaxconn = 32768")), "create", "-f", "-")
		wantUntouched(t, getPod(t, namespace, "web"))
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	pod := newPod("web", "net.core.somaxconn = 4096")
	pod.Annotations[v1alpha1.ProfilesAnnotation] = "nginx"
	newTerminal(t, namespace).must(manifest(t, pod), "create", "-f", "-")
	wantInjected(t, getPod(t, namespace, "web"), "net.ipv4.ip_local_port_range=32768 65535", "net.core.somaxconn=4096")
}

// A sysctl that Kubernetes can set by itself leads to a warning at the terminal.
func TestWarningsReachTheTerminal(t *testing.T) {
	t.Parallel()
	_, stderr, err := newTerminal(t, makeNamespace(t, enrolled)).run(manifest(t,
		newPod("web", "net.ipv4.tcp_syncookies = 1")), "create", "-f", "-")
	must(t, err)
	const want = "Warning: net.ipv4.tcp_syncookies: safe since Kubernetes 1.4, so spec.securityContext.sysctls can " +
		"set it without a privileged init container\n"
	if diff := cmp.Diff(want, stderr); diff != "" {
		t.Errorf("kubectl create (-want +got):\n%s", diff)
	}
}
