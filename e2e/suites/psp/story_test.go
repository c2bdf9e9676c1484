package psp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// usedPolicy is the annotation by which the API server says which PodSecurityPolicy admitted a pod.
const usedPolicy = "kubernetes.io/psp"

// rejected is the beginning of the API server's message about a pod that no policy admits.
const rejected = "PodSecurityPolicy: unable to admit pod: "

// TestStory goes from a rejected unsafe sysctl to an annotation, for which the server generates a policy.
func TestStory(t *testing.T) {
	const sugi, name = "sugi", "sysctl-injector-net.core.somaxconn-injected"
	newNamespace(t, sugi, "psp-user", "other")

	before := liberty(sugi, "before", "psp-user", native(unsafe, "512"))
	deploy(t, before)
	expectRejection(t, before,
		rejected+`[pod.spec.securityContext.sysctls[0]: Forbidden: unsafe sysctl "net.core.somaxconn" is not allowed]`)

	d := liberty(sugi, "liberty", "psp-user", annotated("net.core.somaxconn = 512"))
	deploy(t, d)
	pod := admittedPod(t, d)
	if pod.Annotations[usedPolicy] != name {
		t.Errorf("pod %s was admitted by policy %q, want %q", pod.Name, pod.Annotations[usedPolicy], name)
	}
	if first := pod.Spec.InitContainers[0]; first.Name != v1alpha1.ContainerName ||
		cmp.Diff([]string{"net.core.somaxconn=512"}, first.Args) != "" {
		t.Errorf("the first init container is %s with %v", first.Name, first.Args)
	}
	applied(t, companion(t, d, "-f", "-"))

	t.Run("another service account gains nothing", func(t *testing.T) {
		admin, dev := clients(t)
		stranger := pod.DeepCopy()
		stranger.ObjectMeta = metav1.ObjectMeta{Name: "stranger", Namespace: sugi,
			Annotations: map[string]string{v1alpha1.InjectAnnotation: "false"}}
		stranger.Spec.ServiceAccountName, stranger.Spec.NodeName = "other", ""
		stranger.Spec.InitContainers[0].Name = "sysctl"
		_, err := dev.CoreV1().Pods(sugi).Create(t.Context(), stranger, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), rejected) || !strings.Contains(err.Error(),
			"Privileged containers are not allowed") {
			t.Errorf("a copy of the pod under another service account: %v", err)
		}
		bindings, err := admin.RbacV1().RoleBindings(sugi).List(t.Context(),
			metav1.ListOptions{LabelSelector: v1alpha1.ManagedByLabel + "=" + v1alpha1.ManagedBy})
		must(t, err)
		for i := range bindings.Items {
			if subjects := bindings.Items[i].Subjects; len(subjects) != 1 || subjects[0].Name != "psp-user" {
				t.Errorf("RoleBinding %s is for %v", bindings.Items[i].Name, subjects)
			}
		}
	})

	t.Run("without its binding, the next pod is rejected in require mode", func(t *testing.T) {
		requireMode(t)
		admin, _ := clients(t)
		second := liberty(sugi, "second", "psp-user", annotated("net.core.somaxconn = 512"))
		deploy(t, second)
		admittedPod(t, second)
		must(t, admin.RbacV1().RoleBindings(sugi).Delete(t.Context(), "sysctl-injector:psp:"+name+":psp-user",
			metav1.DeleteOptions{}))
		waitUntilRevoked(t, sugi, "psp-user", name)
		third := liberty(sugi, "third", "psp-user", annotated("net.core.somaxconn = 512"))
		deploy(t, third)
		expectRejection(t, third, "sysctl-injector companion -n sugi --serviceaccount psp-user --backend psp "+
			"--injected net.core.somaxconn | kubectl apply -f -")

		// The command in the message is enough.
		_, err := suite.Cluster(t).Kubectl(t.Context(),
			string(companion(t, nil, "-n", sugi, "--serviceaccount", "psp-user", "--injected",
				unsafe)), "apply", "-f", "-")
		must(t, err)
		admittedPod(t, third)
	})
}

// TestStoryNativelyByAnnotation lets the server write the sysctl into the pod, and a policy that lists exactly that
// sysctl.
func TestStoryNativelyByAnnotation(t *testing.T) {
	const namespace = "sugi-strategy"
	newNamespace(t, namespace, "psp-user", "other")
	d := liberty(namespace, "liberty", "psp-user", func(template *corev1.PodTemplateSpec) {
		template.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: laterSafe + " = 600",
			v1alpha1.StrategyAnnotation: "native-first"}
	})
	deploy(t, d)
	pod := admittedPod(t, d)
	if diff := cmp.Diff([]corev1.Sysctl{{Name: laterSafe, Value: "600"}},
		pod.Spec.SecurityContext.Sysctls); diff != "" || len(pod.Spec.InitContainers) > 0 {
		t.Errorf("the pod has %d init containers, and sysctls (-want +got):\n%s", len(pod.Spec.InitContainers), diff)
	}
	name := pod.Annotations[usedPolicy]
	if !strings.HasPrefix(name, "sysctl-injector-net.ipv4.tcp-keepalive-time-") {
		t.Fatalf("pod %s was admitted by policy %q", pod.Name, name)
	}
	if diff := cmp.Diff([]string{laterSafe}, allowedUnsafe(t, name)); diff != "" {
		t.Errorf("allowedUnsafeSysctls (-want +got):\n%s", diff)
	}
	applied(t, companion(t, d, "-f", "-", "--kubelet-sysctls", laterSafe))
	stranger := liberty(namespace, "stranger", "other", native(laterSafe, "600"))
	deploy(t, stranger)
	expectRejection(t, stranger, `unsafe sysctl "net.ipv4.tcp_keepalive_time" is not allowed`)
}

// TestStoryNatively applies the output of companion for a Deployment that sets the sysctl natively.
func TestStoryNatively(t *testing.T) {
	const namespace, name = "sugi-natively", "sysctl-injector-net.core.somaxconn"
	newNamespace(t, namespace, "psp-user", "other")
	d := liberty(namespace, "liberty", "psp-user", native(unsafe, "512"))
	deploy(t, d)
	expectRejection(t, d, `unsafe sysctl "net.core.somaxconn" is not allowed`)
	manifest := companion(t, d, "-f", "-")
	_, err := suite.Cluster(t).Kubectl(t.Context(), string(manifest), "apply", "-f", "-")
	must(t, err)
	pod := admittedPod(t, d)
	if pod.Annotations[usedPolicy] != name {
		t.Errorf("pod %s was admitted by policy %q, want %q", pod.Name, pod.Annotations[usedPolicy], name)
	}
	if diff := cmp.Diff([]string{unsafe}, allowedUnsafe(t, name)); diff != "" {
		t.Errorf("allowedUnsafeSysctls (-want +got):\n%s", diff)
	}
	stranger := liberty(namespace, "stranger", "other", native(unsafe, "512"))
	deploy(t, stranger)
	expectRejection(t, stranger, `unsafe sysctl "net.core.somaxconn" is not allowed`)
	more := liberty(namespace, "more", "psp-user", native("kernel.msgmax", "65536"))
	deploy(t, more)
	expectRejection(t, more, `unsafe sysctl "kernel.msgmax" is not allowed`)
}

// requireMode makes the API server call a server that grants nothing, for the rest of a test.
func requireMode(t *testing.T) {
	t.Helper()
	generating := installed.Server()
	server, err := installed.Start(t.Context(), "--grants=require")
	must(t, err)
	must(t, installed.Route(t.Context(), server))
	generating.Kill()
	t.Cleanup(func() {
		again, err := installed.Start(context.WithoutCancel(t.Context()))
		if err == nil {
			err = installed.Route(context.WithoutCancel(t.Context()), again)
		}
		if err != nil {
			t.Error(err)
		}
		server.Kill()
	})
}

// waitUntilRevoked waits until the authorizer knows that a service account may no longer use a policy.
func waitUntilRevoked(t *testing.T, namespace, serviceAccount, policy string) {
	t.Helper()
	clustertest.AwaitCanI(t, suite.Cluster(t), false, namespace,
		"system:serviceaccount:"+namespace+":"+serviceAccount, "use", "podsecuritypolicies.policy/"+policy)
}

// TestServerSaysWhatKubernetesLacks checks that the server logs the features that Kubernetes 1.24 lacks.
func TestServerSaysWhatKubernetesLacks(t *testing.T) {
	suite.Cluster(t)
	log := installed.Log()
	for _, feature := range []string{"matchConditions", "ValidatingAdmissionPolicy"} {
		if !strings.Contains(log,
			`"msg":"Kubernetes lacks a feature","kubernetes":"v1.24.17","feature":"`+feature+`"`) {
			t.Errorf("the log of %s says nothing of %s:\n%s", installation.Name, feature, log)
		}
	}
}
