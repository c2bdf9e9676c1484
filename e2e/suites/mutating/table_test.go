package mutating_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/mutating"
)

// decision is a recorded decision of the tests of package injection.
type decision struct {
	Test         string
	Pod          json.RawMessage
	Namespace    map[string]string
	RuntimeClass *nodev1.RuntimeClass
	world
	Message string
	Patched json.RawMessage
}

// world holds what a decision depends on, besides the pod and its namespace.
type world struct {
	Allow    []v1alpha1.AllowRule
	Profiles map[string]string
	Config   struct {
		form.Config
		PullSecrets, GuestHandlers, KubeletSysctls []string
		Strategy                                   form.Strategy
		Version                                    string
		Kubernetes                                 uint
	}
	Defaults bool
}

// mostOfATest bounds the decisions of one test that are repeated: some tests make thousands of decisions on random
// pods.
const mostOfATest = 60

// The policies make the decisions that the tests of package injection make, all of its tables included.
func TestDecisionsOfTheWebhooksTests(t *testing.T) {
	t.Parallel()
	suite.Cluster(t)
	byWorld := map[string][]decision{}
	for _, d := range recordDecisions(t) {
		if d.needsServer() {
			continue
		}
		key, err := json.Marshal(d.world)
		must(t, err)
		byWorld[string(key)] = append(byWorld[string(key)], d)
	}
	made, admitted := 0, 0
	plain := makeNamespace(t)
	for i, key := range slices.Sorted(maps.Keys(byWorld)) {
		name := fmt.Sprintf("world-%d", i)
		must(t, install(t.Context(), byWorld[key][0].policies(), name))
		namespaces := map[string]string{}
		for _, d := range byWorld[key] {
			labels := fmt.Sprint(d.Namespace)
			if namespaces[labels] == "" {
				namespaces[labels] = makeNamespace(t, d.Namespace, map[string]string{byLabel: name})
				awaitDecisions(t, namespaces[labels])
			}
			compared, wasAdmitted := d.compare(t, plain, namespaces[labels])
			if compared {
				made++
			}
			if wasAdmitted {
				admitted++
			}
		}
	}
	t.Logf("%d decisions, %d pods admitted, in %d worlds", made, admitted, len(byWorld))
	if made < 100 || admitted < 70 {
		t.Errorf("these are fewer than the tests of package injection make")
	}
}

// recordDecisions runs the tests of package injection.
func recordDecisions(t *testing.T) []decision {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1",
		"github.com/sysctl-injector/sysctl-injector/webhook/injection")
	cmd.Env = append(os.Environ(), "SYSCTL_INJECTOR_RECORD_DECISIONS="+dir)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	must(t, err)
	counts := map[string]int{}
	var all []decision
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		var d decision
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if counts[d.Test]++; counts[d.Test] <= mostOfATest {
			all = append(all, d)
		}
	}
	return all
}

// needsServer reports whether a decision needs the server, according to docs/without-server.md.
func (d *decision) needsServer() bool {
	if d.RuntimeClass != nil && d.RuntimeClass.Scheduling != nil {
		return true // the API server itself adds it to the pod; the suite's classes have none
	}
	return d.Defaults || d.Config.Strategy == form.NativeFirst || strings.Contains(string(d.Pod), "native-first") ||
		d.Config.Kubernetes < 36
}

func (w *world) policies() mutating.Config {
	config := mutating.Config{
		Config: w.Config.Config, PullSecrets: w.Config.PullSecrets, GuestHandlers: w.Config.GuestHandlers,
		Version: w.Config.Version,
	}
	if len(w.Allow) > 0 {
		policy := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "test"},
			Spec: v1alpha1.SysctlPolicySpec{Allow: w.Allow}}
		config.Policies = []*v1alpha1.SysctlPolicy{policy}
	}
	for name, text := range w.Profiles {
		profile := &v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.SysctlProfileSpec{Sysctls: text}}
		config.Profiles = append(config.Profiles, profile)
	}
	return config
}

// compare creates the pod of a decision in a namespace with the policies, and the pod that the webhook returned in a
// namespace without injection. It leaves out pods that the API server rejects in every namespace.
func (d *decision) compare(t *testing.T, plain, namespace string) (compared, admitted bool) {
	t.Helper()
	pod, want := d.decode(t, d.Pod), d.decode(t, d.Pod)
	if d.Message == "" && string(d.Patched) != "null" {
		want = d.decode(t, d.Patched)
	}
	wanted, err := kube.CoreV1().Pods(plain).Create(t.Context(), want, dryRun)
	if err != nil {
		return false, false
	}
	got, err := kube.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
	switch {
	case (err != nil) != (d.Message != ""):
		t.Errorf("%s: webhook: %q\npolicies: %v\n%s", d.Test, d.Message, err, manifest(pod))
	case err != nil && !strings.Contains(err.Error(), "sysctl-injector-decide"):
		t.Errorf("%s: rejected by something else: %v", d.Test, err)
	case err == nil:
		if diff := cmp.Diff(anonymous(wanted), anonymous(got)); diff != "" {
			t.Errorf("%s: pod (-webhook +policies):\n%s\n%s", d.Test, diff, manifest(pod))
		}
	}
	return true, err == nil
}

// decode reads a pod, and sets a RuntimeClass like the one of the decision.
func (d *decision) decode(t *testing.T, raw json.RawMessage) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		return pod // the API server rejects it
	}
	if class := d.RuntimeClass; class != nil {
		name := nodeClass
		switch {
		case class.Labels[v1alpha1.KernelLabel] == v1alpha1.KernelLabelGuest:
			name = labelledClass
		case slices.Contains(d.Config.GuestHandlers, class.Handler):
			name = plainKataClass
		}
		pod.Spec.RuntimeClassName = &name
	}
	pod.Namespace = ""
	return pod
}

// awaitDecisions waits until the policies act in a namespace, whatever they allow.
func awaitDecisions(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the API server to evaluate the policies in "+namespace, func(ctx context.Context) (bool, error) {
		if _, err := kube.CoreV1().Pods(namespace).Create(ctx, newPod("nonsense"), dryRun); err == nil {
			return false, nil
		}
		for _, class := range []string{"", guestClass, labelledClass, nodeClass, plainKataClass} {
			pod := newPod("net.core.somaxconn = 1024")
			if class != "" {
				pod.Spec.RuntimeClassName = &class
			}
			pod, err := kube.CoreV1().Pods(namespace).Create(ctx, pod, dryRun)
			if err != nil && strings.Contains(err.Error(), "did not see this pod") ||
				err == nil && len(pod.Spec.InitContainers) == 0 {
				return false, nil
			}
		}
		return true, nil
	})
}
