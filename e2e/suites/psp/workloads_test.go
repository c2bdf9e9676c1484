package psp_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// liberty is the Deployment of the story.
func liberty(namespace, name, serviceAccount string, tweak func(*corev1.PodTemplateSpec)) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: serviceAccount,
					Containers:         []corev1.Container{{Name: "liberty", Image: "websphere-liberty"}},
				},
			},
		},
	}
	tweak(&d.Spec.Template)
	return d
}

func annotated(lines string) func(*corev1.PodTemplateSpec) {
	return func(template *corev1.PodTemplateSpec) {
		template.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: lines}
	}
}

func native(name, value string) func(*corev1.PodTemplateSpec) {
	return func(template *corev1.PodTemplateSpec) {
		template.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: name, Value: value}}}
	}
}

// deploy creates a Deployment as the developer.
func deploy(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	_, dev := clients(t)
	_, err := dev.AppsV1().Deployments(d.Namespace).Create(t.Context(), d, metav1.CreateOptions{})
	must(t, err)
}

// admittedPod waits for the pod of a Deployment.
func admittedPod(t *testing.T, d *appsv1.Deployment) *corev1.Pod {
	t.Helper()
	admin, _ := clients(t)
	var pod corev1.Pod
	eventually(t, "a pod of "+d.Name, func(ctx context.Context) (string, bool) {
		pods, err := admin.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + d.Name})
		if err != nil || len(pods.Items) == 0 {
			return rejection(ctx, t, d), false
		}
		pod = pods.Items[0]
		return "", true
	})
	return &pod
}

// rejection returns why the ReplicaSet of a Deployment has no pod.
func rejection(ctx context.Context, t *testing.T, d *appsv1.Deployment) string {
	t.Helper()
	admin, _ := clients(t)
	sets, err := admin.AppsV1().ReplicaSets(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + d.Name})
	if err != nil {
		return err.Error()
	}
	for i := range sets.Items {
		for _, condition := range sets.Items[i].Status.Conditions {
			if condition.Type == appsv1.ReplicaSetReplicaFailure {
				return condition.Message
			}
		}
	}
	return "nothing yet"
}

func expectRejection(t *testing.T, d *appsv1.Deployment, want string) {
	t.Helper()
	eventually(t, "the rejection of "+d.Name, func(ctx context.Context) (string, bool) {
		got := rejection(ctx, t, d)
		return got, strings.Contains(got, want)
	})
}

// companion runs `sysctl-injector companion`.
func companion(t *testing.T, input any, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), installed.Program,
		append([]string{"companion", "--backend=psp"}, args...)...)
	if input != nil {
		content, err := yaml.Marshal(input)
		must(t, err)
		cmd.Stdin = bytes.NewReader(content)
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("companion %v: %v\n%s", args, err, problem.String())
	}
	return output
}

// applied compares the output of companion with the objects in the cluster, in every field that it states.
func applied(t *testing.T, manifest []byte) {
	t.Helper()
	client, err := dynamic.NewForConfig(suite.Cluster(t).RESTConfig())
	must(t, err)
	for document := range bytes.SplitSeq(manifest, []byte("---\n")) {
		want := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal(document, &want.Object))
		// The API server leaves out a field that is false.
		document = bytes.Replace(document, []byte("  privileged: false\n"), nil, 1)
		resource := map[string]schema.GroupVersionResource{
			"PodSecurityPolicy": {Group: "policy", Version: "v1beta1", Resource: "podsecuritypolicies"},
			"ClusterRole":       rbacv1.SchemeGroupVersion.WithResource("clusterroles"),
			"RoleBinding":       rbacv1.SchemeGroupVersion.WithResource("rolebindings"),
		}[want.GetKind()]
		got, err := client.Resource(resource).Namespace(want.GetNamespace()).Get(t.Context(), want.GetName(),
			metav1.GetOptions{})
		must(t, err)
		for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
			unstructured.RemoveNestedField(got.Object, "metadata", field)
		}
		encoded, err := yaml.Marshal(got.Object)
		must(t, err)
		if diff := cmp.Diff(string(document), string(encoded)); diff != "" {
			t.Errorf("%s %s (-companion +cluster):\n%s", want.GetKind(), want.GetName(), diff)
		}
	}
}

// allowedUnsafe is what a PodSecurityPolicy lists.
func allowedUnsafe(t *testing.T, name string) []string {
	t.Helper()
	client, err := dynamic.NewForConfig(suite.Cluster(t).RESTConfig())
	must(t, err)
	policy, err := client.Resource(schema.GroupVersionResource{Group: "policy", Version: "v1beta1",
		Resource: "podsecuritypolicies"}).
		Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	list, _, err := unstructured.NestedStringSlice(policy.Object, "spec", "allowedUnsafeSysctls")
	must(t, err)
	return list
}
