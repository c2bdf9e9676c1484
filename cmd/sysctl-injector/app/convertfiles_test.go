package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// deployment is a Deployment with the pod template of a pod manifest.
func deployment(name, pod string) string {
	_, spec, _ := strings.Cut(pod, "\nspec:\n")
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec:\n  template:\n    spec:\n" +
		"    " + strings.ReplaceAll(strings.TrimSuffix(spec, "\n"), "\n", "\n    ") + "\n"
}

// A template that stays does not affect the other templates of its file.
func TestConvertSeveralDocuments(t *testing.T) {
	conflicting := strings.Replace(tuned, "\nspec:\n",
		"\nspec:\n  securityContext: {sysctls: [{name: net.core.somaxconn, value: \"2048\"}]}\n", 1)
	unrelated := strings.Replace(deployment("other", named("other")), "spec:\n  template:\n",
		"spec:\n  template:\n    metadata: {annotations: {sysctl-injector.dev/sysctls: vm.swappiness = 1}}\n", 1)
	notEnrolled := "apiVersion: v1\nkind: Namespace\nmetadata: {name: closed}\n---\n" +
		strings.Replace(deployment("other", tuned), "name: other", "name: other, namespace: closed", 1)
	for _, test := range []struct {
		name, other, report string
		code                int
	}{
		{"a container that the webhook would reject", deployment("other", conflicting),
			"converted: 1, left as they are: 2\n", exitLeft},
		{"a namespace that is not enrolled", notEnrolled, "converted: 1, left as they are: 1\n", exitLeft},
		{"an annotation that the webhook would reject", unrelated, "converted: 1, left as they are: 0\n", exitDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, report := run(t, deployment("web", tuned)+"---\n"+test.other, "convert", "-f", "-")
			if code != test.code || !strings.HasSuffix(report, test.report) {
				t.Errorf("exit code %d, report\n%s", code, report)
			}
			if !strings.HasSuffix(out, "---\n"+test.other) ||
				!strings.Contains(out, "sysctl-injector.dev/sysctls: net.core.somaxconn = 1024") {
				t.Errorf("output\n%s", out)
			}
		})
	}
}

// A file that comes later has objects that the decisions on an earlier one depend on.
func TestConvertSeveralFiles(t *testing.T) {
	const vpa = `apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: scaled}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  resourcePolicy: {containerPolicies: [{containerName: tune, mode: "Off"}]}
`
	guest := strings.Replace(strings.Replace(tuned, "net.core.somaxconn=1024", "vm.max_map_count=300000", 1),
		"spec:\n", "spec:\n  runtimeClassName: kata\n", 1)
	for _, test := range []struct {
		name, first, second, want string
		code                      int
	}{
		{"a namespace that is not enrolled", strings.Replace(deployment("web", tuned), "name: web}",
			"name: web, namespace: closed}", 1), "apiVersion: v1\nkind: Namespace\nmetadata: {name: closed}\n",
			`its namespace "closed" is in the files`, exitLeft},
		{"a RuntimeClass", deployment("web", guest), "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\n" +
			"metadata: {name: kata}\nhandler: kata-qemu\n", "    vm.max_map_count = 300000\nconverted: 1", exitDone},
		{"an object that names the container", deployment("web", tuned), vpa,
			"b.yaml line 1, names the container\n", exitDone},
		{"an object that names a container of another workload", deployment("other", tuned), vpa,
			"    net.core.somaxconn = 1024\nconverted: 1", exitDone},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range map[string]string{"a.yaml": test.first, "b.yaml": test.second} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, out, report := run(t, "", "convert", "-f", dir)
			if code != test.code || !strings.Contains(report, test.want) ||
				strings.Contains(out, "initContainers") != (code == exitLeft) {
				t.Errorf("exit code %d, report\n%s", code, report)
			}
		})
	}
}

// A file that cannot be read may set sysctls, so it stays.
func TestConvertReportsUnreadableFiles(t *testing.T) {
	var wide strings.Builder // as PowerShell's > writes it
	for _, unit := range utf16.Encode([]rune("\uFEFF" + tuned)) {
		wide.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	for _, test := range []struct{ name, in, reason string }{
		{"UTF-16", wide.String(), "the manifest is not UTF-8 text"},
		{"a duplicate key", strings.Replace(tuned, "[sysctl, -w, net.core.somaxconn=1024]",
			"[/tune.sh]\n    image: busybox:1.37", 1), `line 9: key "image" is already set in line 7`},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, test.in, "convert", "-f", "-", "-o", "report")
			want := fmt.Sprintf("standard input: line 1: the file: not looked into: stays as it is\n"+
				"  the file cannot be read: %s\nconverted: 0, left as they are: 1\n", test.reason)
			if code != exitLeft || out != want || errOut != "" {
				t.Errorf("exit code %d, %q, report\n%s\nwant\n%s", code, errOut, out, want)
			}
		})
	}
}
