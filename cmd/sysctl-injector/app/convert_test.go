package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConvertGolden converts the manifests of testdata/convert. For each, testdata/converted has the exit code with
// the report, and the manifest if it changes.
func TestConvertGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/convert/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no input: %v", err)
	}
	var expected []string
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			code, out, report := run(t, "", "convert", "-f", path)
			report = fmt.Sprintf("exit code %d\n%s", code, strings.ReplaceAll(report, path, name))
			golden := filepath.Join("testdata/converted", strings.TrimSuffix(name, filepath.Ext(name)))
			expected = append(expected, golden+".txt")
			compareGolden(t, golden+".txt", report)
			if out == string(before) {
				return
			}
			expected = append(expected, golden+".yaml")
			compareGolden(t, golden+".yaml", out)
			_, again, _ := run(t, out, "convert", "-f", "-")
			if diff := cmp.Diff(out, again); diff != "" {
				t.Errorf("a second conversion changes something (-once +twice):\n%s", diff)
			}
			if code, _, errOut := run(t, out, "inject", "-f", "-"); code != 0 {
				t.Errorf("inject rejects the result: %s", errOut)
			}
		})
	}
	found, err := filepath.Glob("testdata/converted/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if !slices.Contains(expected, path) {
			t.Errorf("%s belongs to no input", path)
		}
	}
}

func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

const tuned = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  initContainers:
  - name: tune
    image: busybox:1.36
    command: [sysctl, -w, net.core.somaxconn=1024]
    securityContext: {privileged: true}
  containers:
  - {name: web, image: nginx}
`

// A report writes nothing, so what it would convert still sets sysctls by hand.
func TestConvertReportExitCode(t *testing.T) {
	code, out, errOut := run(t, tuned, "convert", "-f", "-", "-o", "report")
	if code != exitLeft || errOut != "" || !strings.HasSuffix(out, "converted: 1, left as they are: 0\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	_, converted, _ := run(t, tuned, "convert", "-f", "-")
	if code, out, errOut := run(t, converted, "convert", "-f", "-", "-o", "report"); code != exitDone {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}

func TestConvertInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(path, []byte(tuned), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	_, want, _ := run(t, tuned, "convert", "-f", "-")
	code, out, errOut := run(t, "", "convert", "--in-place", "-f", link)
	if code != 0 || errOut != "" || !strings.HasSuffix(out, "converted: 1, left as they are: 0\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestConvertRejectsWhatTheWebhookWould(t *testing.T) {
	const policy = `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlPolicy
metadata: {name: small}
spec:
  allow:
  - names: [net.core.somaxconn]
    max: 512
`
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, report := run(t, tuned, "convert", "-f", "-", "--policy", path)
	if code != exitLeft || out != tuned ||
		!strings.Contains(report, "the webhook would reject the pod: NotAllowedByPolicy") {
		t.Errorf("exit code %d, report %s", code, report)
	}
	namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n---\n"
	code, out, report = run(t, namespace+tuned, "convert", "-f", "-")
	if code != exitLeft || out != namespace+tuned || !strings.Contains(report, "the webhook does not act there") {
		t.Errorf("exit code %d, report %s", code, report)
	}
}

func TestConvertInAGuestKernel(t *testing.T) {
	const class = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: kata}\nhandler: kata-qemu\n---\n"
	pod := class + strings.Replace(strings.Replace(tuned, "net.core.somaxconn=1024", "vm.max_map_count=300000", 1),
		"spec:\n", "spec:\n  runtimeClassName: kata\n", 1)
	code, out, report := run(t, pod, "convert", "-f", "-")
	if code != exitDone || !strings.Contains(out, "sysctl-injector.dev/sysctls: vm.max_map_count = 300000") ||
		strings.Contains(out, "initContainers") {
		t.Errorf("exit code %d, report %s\n%s", code, report, out)
	}
}

// If the RuntimeClass is not known, a container stays if a guest's kernel would give its lines another effect.
func TestConvertInAnUnknownRuntimeClass(t *testing.T) {
	in := func(command string) string {
		return strings.Replace(strings.Replace(tuned, "[sysctl, -w, net.core.somaxconn=1024]", command, 1),
			"spec:\n", "spec:\n  runtimeClassName: kata-qemu\n", 1)
	}
	const set = "sysctl -w net.core.somaxconn=1024"
	for _, test := range []struct {
		name, script string
		code         int
	}{
		{"a name that only a guest has", "sysctl -w net.core.netdev_max_backlog=5000 || true; " + set, exitLeft},
		{"a name that only a guest may write", "echo 5000 > /proc/sys/net/core/rmem_max; " + set, exitLeft},
		{"a test for a name that only a guest has",
			"[ -f /proc/sys/net/core/netdev_max_backlog ] && " + set + "; " + set, exitLeft},
		{"a name that no kernel has", "sysctl -w net.ipv4.tcp_tw_recycle=1 || true; " + set, exitDone},
		{"a name that every kernel has", set, exitDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, report := run(t, in(`[sh, -c, "`+test.script+`"]`), "convert", "-f", "-")
			const why = `it is not known whose kernel RuntimeClass "kata-qemu" gives; name its file with --runtime-class`
			if code != test.code || strings.Contains(report, why) != (code == exitLeft) ||
				strings.Contains(out, "initContainers") != (code == exitLeft) {
				t.Errorf("exit code %d, report %s\n%s", code, report, out)
			}
		})
	}
}

// A key that has no effect where it is stays, and is no reason to leave the container.
func TestConvertReportsMisplacedKeys(t *testing.T) {
	_, initContainers, _ := strings.Cut(tuned, "  initContainers")
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations:\n" +
		"    sysctl-injector.dev/sysctls: net.ipv4.tcp_fin_timeout = 15\n" +
		"spec:\n  template:\n    spec:\n" +
		strings.ReplaceAll("  initContainers"+initContainers, "\n  ", "\n      ")
	deployment = strings.Replace(deployment, "spec:\n  initContainers", "spec:\n      initContainers", 1)
	code, out, report := run(t, deployment, "convert", "-f", "-")
	const misplaced = `Deployment "web": metadata.annotations[sysctl-injector.dev/sysctls]: stays as it is
  MisplacedKey: this is a key of spec.template.metadata.annotations; move it there
`
	if code != exitLeft || !strings.Contains(report, misplaced) ||
		!strings.HasSuffix(report, "converted: 1, left as they are: 1\n") {
		t.Errorf("exit code %d, report %s\n%s", code, report, out)
	}
	pod := strings.Replace(tuned, "name: web}",
		`name: web, annotations: {sysctl-injector.dev/sysctl: "net.core.somaxconn = 8"}}`, 1)
	if code, _, report := run(t, pod, "convert", "-f", "-"); code != exitLeft ||
		!strings.Contains(report, "no such key; did you mean") {
		t.Errorf("exit code %d, report %s", code, report)
	}
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {sysctl-injector.dev/sysctls: a}}\n"
	if code, _, report := run(t, service, "convert", "-f", "-"); code != exitDone ||
		!strings.Contains(report, "Warning: standard input: line 3: Service") {
		t.Errorf("exit code %d, report %s", code, report)
	}
}

func TestConvertUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--in-place", "-f", "-"},
		{"--in-place", "-o", "diff", "-f", "testdata/convert"},
		{},
	} {
		if code, _, errOut := run(t, tuned, append([]string{"convert"}, args...)...); code != exitUsage {
			t.Errorf("%v: exit code %d: %s", args, code, errOut)
		}
	}
}
