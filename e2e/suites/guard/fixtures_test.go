package guard_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"
)

// levels are the standards that the guard knows.
var levels = []api.Level{api.LevelBaseline, api.LevelRestricted}

// TestGuardFixtures compares the verdict on every fixture of Pod Security admission, of whatever version, at both
// standards.
func TestGuardFixtures(t *testing.T) {
	sides := newSides(t)
	for name, pod := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sides.compare(t, name, pod)
		})
	}
}

// fixtures are the pods in the module's testdata, each once: most are the same in many versions.
func fixtures(t *testing.T) map[string]*corev1.Pod {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"k8s.io/pod-security-admission").Output()
	if err != nil {
		t.Fatalf("find the module k8s.io/pod-security-admission: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(module)), "test", "testdata")
	pods, seen := map[string]*corev1.Pod{}, map[string]bool{}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pod := &corev1.Pod{}
		if err := yaml.UnmarshalStrict(raw, pod); err != nil {
			return err
		}
		pod.Name = "pod"
		spec, err := yaml.Marshal(pod)
		if err != nil || seen[string(spec)] {
			return err
		}
		seen[string(spec)] = true
		name, err := filepath.Rel(root, path)
		pods[name] = pod
		return err
	})
	must(t, err)
	if len(pods) < 300 {
		t.Errorf("%d fixtures below %s", len(pods), root)
	}
	return pods
}

// sides holds, for each standard, a namespace that Pod Security admission holds to it, and one that the guard holds to
// it.
type sides struct {
	admin           *kubernetes.Clientset
	upstream, guard map[api.Level]string
	unguarded       string // a namespace without a standard
}

func newSides(t *testing.T) sides {
	s := sides{clientset(t), map[api.Level]string{}, map[api.Level]string{}, newNamespace(t, nil)}
	for _, level := range levels {
		s.upstream[level] = newNamespace(t, labels{api.EnforceLevelLabel: string(level)})
		s.guard[level] = newNamespace(t, held(level))
	}
	return s
}

// create returns the API server's verdict on a pod.
func (s sides) create(ctx context.Context, namespace string, pod *corev1.Pod) string {
	_, err := s.admin.CoreV1().Pods(namespace).Create(ctx, pod, dryRun)
	return verdict(err)
}

// compare checks that the guard gives the same messages as Pod Security admission, at both standards, with and without
// the injected container. It returns how many verdicts were rejections by a standard.
func (s sides) compare(t *testing.T, name string, bare *corev1.Pod) (rejected int) {
	t.Helper()
	bare = copyOf(bare)
	bare.Spec.ServiceAccountName = "granted"
	injected := copyOf(bare)
	inject(injected, "net.core.somaxconn=1024", "kernel.sem=250 32000 32 128")
	for _, level := range levels {
		want := s.create(t.Context(), s.upstream[level], bare)
		if violations(want) != "" {
			rejected++
		} else if want != "" && s.create(t.Context(), s.unguarded, bare) == want {
			continue // the API server rejects the pod in every namespace
		}
		if got := s.create(t.Context(), s.guard[level], bare); violations(got) != violations(want) ||
			(got == "") != (want == "") {
			t.Errorf("%s, at %s\n  Pod Security admission: %s\n  guard:                  %s\n%s", name, level, want,
				got, asYAML(t, bare))
		}
		if onWindows(bare) {
			continue // a Windows pod has neither busybox nor sysctls
		}
		if got := s.create(t.Context(), s.guard[level], injected); violations(got) != violations(want) ||
			(got == "") != (want == "") {
			t.Errorf("%s, at %s, injected\n  Pod Security admission: %s\n  guard:                  %s\n%s", name, level,
				want, got, asYAML(t, injected))
		}
	}
	return rejected
}

func onWindows(pod *corev1.Pod) bool {
	for i := range pod.Spec.Containers {
		if sc := pod.Spec.Containers[i].SecurityContext; sc != nil && sc.WindowsOptions != nil {
			return true
		}
	}
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows ||
		pod.Spec.SecurityContext != nil && pod.Spec.SecurityContext.WindowsOptions != nil
}

func asYAML(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	text, err := yaml.Marshal(pod)
	must(t, err)
	return string(text)
}
