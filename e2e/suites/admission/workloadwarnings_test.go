package admission_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// deployment returns a Deployment whose pods ask for sysctls, unless they are empty.
func deployment(name, sysctls string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	pod := newPod(name, sysctls)
	if sysctls == "" {
		pod.Annotations = nil
	}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels,
				Annotations: pod.Annotations}, Spec: pod.Spec},
		},
	}
}

// kubectl shows the rejections of a workload's pods as soon as the workload is applied, not only in the events of a
// ReplicaSet.
func TestWarningsAboutWorkloads(t *testing.T) {
	t.Parallel()
	k := newTerminal(t, makeNamespace(t, enrolled))
	rejected := manifest(t, deployment("rejected", "vm.swappiness = 1"))
	awaitWarnings(t, k, rejected)

	misplaced := deployment("misplaced", "")
	misplaced.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: somaxconn}
	native := deployment("native", "")
	native.Spec.Template.Spec.SecurityContext = &corev1.PodSecurityContext{
		Sysctls: []corev1.Sysctl{{Name: "net.core.somaxconn", Value: "8"}}}
	cronJob := "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec:\n  schedule: '0 1 * * *'\n" +
		"  jobTemplate:\n    metadata:\n      annotations: {sysctl-injector.dev/sysctls: a = 1}\n" +
		"    spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: example.com/a}]}}}\n"
	const moveIt = "this is a key of spec.template.metadata.annotations; move it there"
	for _, step := range []struct {
		name, input string
		args        []string
		want        string // what stderr contains; "" if it is empty
	}{
		{"a workload whose pods will be rejected", rejected, []string{"apply", "-f", "-"},
			"Warning: the pods of this workload will be rejected: NodeLevel: spec.template.metadata.annotations["},
		{"an update that changes neither template nor keys", "", []string{"scale", "deployment/rejected",
			"--replicas=2"}, ""},
		{"a new template", "", []string{"rollout", "restart", "deployment/rejected"},
			"Warning: the pods of this workload will be rejected: NodeLevel: "},
		{"a key on the Deployment itself", manifest(t, misplaced), []string{"apply", "-f", "-"},
			"Warning: MisplacedKey: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: " + moveIt},
		{"a native sysctl that is not safe", manifest(t, native), []string{"apply", "-f", "-"},
			"kubelets reject net.core.somaxconn"},
		{"a key on the Job of a CronJob", cronJob, []string{"apply", "-f", "-"},
			"this is a key of spec.jobTemplate.spec.template.metadata.annotations; move it there"},
		{"a plain workload", manifest(t, deployment("plain", "")), []string{"apply", "-f", "-"}, ""},
		{"a key that comes later", "", []string{"annotate", "deployment/plain",
			"sysctl-injector.dev/sysctls=net.core.somaxconn = 8"}, moveIt},
		{"a workload that is in order", manifest(t, deployment("fine", somaxconn)), []string{"apply", "-f", "-"}, ""},
	} {
		_, stderr, err := k.run(step.input, step.args...)
		if err != nil || !strings.Contains(stderr, step.want) || step.want == "" && stderr != "" {
			t.Errorf("%s: %v; kubectl says %q, want %q", step.name, err, stderr, step.want)
		}
	}
}

// awaitWarnings waits until the API server calls the entry, a moment after it is created.
func awaitWarnings(t *testing.T, k *terminal, manifest string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		_, stderr, err := k.run(manifest, "apply", "--dry-run=server", "-f", "-")
		if err != nil {
			t.Fatal(stderr)
		}
		if stderr != "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no warning")
		}
	}
}

// BenchmarkDeploymentUpdate measures the time that the warnings add to a change of a Deployment's template. The kinds
// of update take turns.
func BenchmarkDeploymentUpdate(b *testing.B) {
	suite.Cluster(b)
	kinds := []struct {
		name    string
		labels  map[string]string // of the namespace
		sysctls string
		times   []time.Duration
	}{
		{"not enrolled", nil, somaxconn, nil},
		{"enrolled, asks for nothing", enrolled, "", nil},
		{"enrolled, asks for a sysctl", enrolled, somaxconn, nil},
	}
	made := make([]*appsv1.Deployment, len(kinds))
	for n, kind := range kinds {
		namespace := clustertest.Namespace(b, client, metav1.ObjectMeta{Labels: kind.labels})
		d := deployment("web", kind.sysctls)
		d.Spec.Replicas = new(int32)
		var err error
		made[n], err = client.AppsV1().Deployments(namespace).Create(b.Context(), d, metav1.CreateOptions{})
		must(b, err)
	}
	for round := 0; b.Loop(); round++ {
		for n := range kinds {
			change := made[n].DeepCopy()
			change.ResourceVersion = ""
			change.Spec.Template.Labels["round"] = fmt.Sprint(round)
			begun := time.Now()
			_, err := client.AppsV1().Deployments(change.Namespace).Update(b.Context(), change,
				metav1.UpdateOptions{})
			must(b, err)
			kinds[n].times = append(kinds[n].times, time.Since(begun))
		}
	}
	for _, kind := range kinds {
		slices.Sort(kind.times)
		b.Logf("%-28s p50 %.2f ms of %d updates", kind.name, float64(kind.times[len(kind.times)/2].Microseconds())/1000,
			len(kind.times))
	}
}
