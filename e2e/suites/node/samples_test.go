package node_test

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

// The samples of the two workloads for which administrators once allowed everything by a PodSecurityPolicy, with other
// images. Their namespaces are held to the strictest standard.

func TestIngressDaemonSetOfTheSample(t *testing.T) {
	t.Parallel()
	var set appsv1.DaemonSet
	decodeSample(t, "ingress-nginx-daemonset.yaml", "DaemonSet", &set)
	set.Namespace = "ingress-nginx"
	makeAccount(t, set.Namespace, set.Spec.Template.Spec.ServiceAccountName)
	keepsHost(t, "net.core.somaxconn", "net.ipv4.ip_local_port_range")
	container := &set.Spec.Template.Spec.Containers[0]
	container.Image = images.App
	_, err := client.AppsV1().DaemonSets(set.Namespace).Create(t.Context(), &set, metav1.CreateOptions{})
	must(t, err)
	pod := onlyPod(t, set.Namespace, set.Spec.Selector)
	wantValues(t, pod, container.Name, "net.core.somaxconn = 32768", "net.ipv4.ip_local_port_range = 32768 65535")
	wantUnprivileged(t, pod, container.Name, ordinary(t, func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = container.SecurityContext
	}))
	wantUse(t, set.Namespace, "ingress-nginx", map[string]bool{
		"net.core.somaxconn": true, "net.ipv4.ip_local_port_range": true, "net.ipv4.tcp_syncookies": false,
	})
}

func TestLibertyDeploymentOfTheSample(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	decodeSample(t, "liberty-deployment.yaml", "Deployment", &deployment)
	deployment.Namespace = "sugi"
	makeAccount(t, deployment.Namespace, deployment.Spec.Template.Spec.ServiceAccountName)
	keepsHost(t, "net.core.somaxconn")
	container := &deployment.Spec.Template.Spec.Containers[0]
	container.Image = images.App
	_, err := client.AppsV1().Deployments(deployment.Namespace).Create(t.Context(), &deployment,
		metav1.CreateOptions{})
	must(t, err)
	pod := onlyPod(t, deployment.Namespace, deployment.Spec.Selector)
	if pod.Spec.ServiceAccountName != "psp-user" {
		t.Errorf("the pod runs as %s", pod.Spec.ServiceAccountName)
	}
	wantValues(t, pod, container.Name, "net.core.somaxconn = 512")
	wantUnprivileged(t, pod, container.Name, ordinary(t))
	wantUse(t, deployment.Namespace, "psp-user", map[string]bool{"net.core.somaxconn": true,
		"net.ipv4.ip_local_port_range": false})
	wantUse(t, deployment.Namespace, "default", map[string]bool{"net.core.somaxconn": false})
}

// makeAccount makes a namespace with the service account that a sample names.
func makeAccount(t *testing.T, namespace, name string) {
	t.Helper()
	suite.Cluster(t)
	clustertest.Namespace(t, client, metav1.ObjectMeta{Name: namespace, Labels: enrolled()}, name)
}

// onlyPod waits for the one pod of a workload.
func onlyPod(t *testing.T, namespace string, selector *metav1.LabelSelector) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually(t, "the workload's pod", func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selector)})
		if err != nil || len(pods.Items) == 0 {
			return false, err
		}
		pod = &pods.Items[0]
		return true, nil
	})
	return awaitPod(t, pod, "to be ready", clustertest.PodReady)
}

// wantUse checks which sysctls a service account was granted, and that it was granted nothing to do with pods.
func wantUse(t *testing.T, namespace, account string, wanted map[string]bool) {
	t.Helper()
	user := "system:serviceaccount:" + namespace + ":" + account
	allowed := func(attributes authorizationv1.ResourceAttributes) bool {
		attributes.Namespace = namespace
		review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(),
			&authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &attributes},
			}, metav1.CreateOptions{})
		must(t, err)
		return review.Status.Allowed
	}
	for name, want := range wanted {
		if got := allowed(authorizationv1.ResourceAttributes{Group: "sysctl-injector.dev", Resource: "sysctls",
			Name: name, Verb: "use"}); got != want {
			t.Errorf("%s may use %s: %t, want %t", user, name, got, want)
		}
	}
	if allowed(authorizationv1.ResourceAttributes{Resource: "pods", Verb: "create"}) {
		t.Errorf("%s may create pods", user)
	}
}
