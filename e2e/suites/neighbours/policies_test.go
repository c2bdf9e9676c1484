package neighbours_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

// The policies of testdata/policies, and whether a container has what each adds.
var policies = []struct {
	name string
	has  func(corev1.Container) bool
}{
	{"add-env", func(c corev1.Container) bool { return len(c.Env) == 1 && c.Env[0].Name == "SITE" }},
	{"use-mirror",
		func(c corev1.Container) bool { return strings.HasPrefix(c.Image, "mirror.example.com/docker.io/") }},
	{"pin-digest", func(c corev1.Container) bool { return strings.Contains(c.Image, "@sha256:") }},
}

// MutatingAdmissionPolicies run before all webhooks, whatever their names, and again after a webhook's change. Then the
// API server calls our webhook again, so ours runs last.
func TestBesideAMutatingAdmissionPolicy(t *testing.T) {
	suite.Cluster(t)
	served, err := client.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	must(t, err)
	if !hasKind(served, "MutatingAdmissionPolicy") {
		t.Skip("NOT RUN: this API server does not serve MutatingAdmissionPolicy in admissionregistration.k8s.io/v1 " +
			"(Kubernetes 1.36)")
	}
	for _, policy := range policies {
		for _, o := range orders {
			name := o.String() + "-" + policy.name
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				reference := neighbour{}.reference(t, makeNamespace(t, nil), variants[0])
				namespace := makeNamespace(t, map[string]string{"example.com/policy": name})
				applyPolicy(t, policy.name, o)
				eventually(t, "the policy to be in force", func(ctx context.Context) (bool, error) {
					pod, err := client.CoreV1().Pods(namespace).Create(ctx, newPod("probe"),
						metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
					return err == nil && policy.has(pod.Spec.Containers[0]), err
				})
				created, err := create(t, namespace, neighbour{}.pod(o))
				must(t, err)
				if first := &created.Spec.InitContainers[0]; form.IsPinned(first.Image, image) {
					first.Image = image // a digest is kept
				}
				neighbour{change: func(*corev1.Pod) {}}.check(t, created, reference)
				for _, c := range []corev1.Container{created.Spec.InitContainers[1], created.Spec.Containers[0]} {
					if !policy.has(c) {
						t.Errorf("container %s does not have what the policy adds: %+v", c.Name, c)
					}
				}
			})
		}
	}
}

// applyPolicy applies a policy of testdata/policies under a name of its own, for the namespaces with a label of that
// name.
func applyPolicy(t *testing.T, name string, o order) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "policies", name+".yaml"))
	must(t, err)
	manifest := strings.NewReplacer(name, o.String()+"-"+name, "reinvocationPolicy: IfNeeded",
		fmt.Sprintf("reinvocationPolicy: %s", o.again)).
		Replace(string(text))
	c := suite.Cluster(t)
	_, err = c.Kubectl(t.Context(), manifest, "apply", "-f", "-")
	must(t, err)
	t.Cleanup(func() { _, _ = c.Kubectl(context.Background(), manifest, "delete", "--wait=false", "-f", "-") })
}

func hasKind(served *metav1.APIResourceList, kind string) bool {
	for _, resource := range served.APIResources {
		if resource.Kind == kind {
			return true
		}
	}
	return false
}
