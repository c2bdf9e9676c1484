package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

// Another tool put its init container in front of ours: inject moves ours back, and changes nothing else.
func TestInjectMovesTheContainerBackToTheFront(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web # ours\n  annotations:\n" +
		"    sysctl-injector.dev/sysctls: net.core.somaxconn = 4096\n" +
		"spec:\n  # the app\n  containers:\n  - name: web\n    image: nginx\n"
	code, injected, errOut := run(t, pod, "inject", "-f", "-")
	if code != 0 {
		t.Fatal(errOut)
	}
	const other = "  # waits\n  - name: wait\n    image: busybox\n"
	behind := strings.Replace(injected, "initContainers:\n", "initContainers:\n"+other, 1)
	code, out, errOut := run(t, behind, "inject", "-f", "-")
	if code != 0 {
		t.Fatal(errOut)
	}
	at := func(name string) int { return strings.Index(out, "- name: "+name+"\n") }
	if strings.Count(out, "name: sysctl-injector\n") != 1 || at("sysctl-injector") > at("wait") || at("wait") < 0 {
		t.Errorf("got\n%s", out)
	}
	for line := range strings.Lines(behind) {
		if strings.Contains(line, "#") && !strings.Contains(out, line) {
			t.Errorf("line %q is gone from\n%s", line, out)
		}
	}
	if _, again, _ := run(t, out, "inject", "-f", "-"); again != out {
		t.Errorf("a second time changes something:\n%s", again)
	}
}

func TestInjectGolden(t *testing.T) {
	var expected []string
	for _, path := range inputs(t) {
		golden := filepath.Join("testdata/injected", filepath.Base(path))
		expected = append(expected, golden)
		t.Run(filepath.Base(path), func(t *testing.T) {
			code, out, errOut := run(t, "", "inject", "-f", path)
			if code != 0 {
				t.Fatal(errOut)
			}
			if *update {
				if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, again, _ := run(t, out, "inject", "-f", "-"); again != out {
				t.Errorf("the second time (-once +twice):\n%s", cmp.Diff(out, again))
			}
		})
	}
	found, err := filepath.Glob("testdata/injected/*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, found); diff != "" {
		t.Errorf("golden files without an input (-expected +found):\n%s", diff)
	}
}

func TestInjectOfADirectory(t *testing.T) {
	code, out, errOut := run(t, "", "inject", "-f", "testdata/inject")
	if code != 0 {
		t.Fatal(errOut)
	}
	objects, err := manifest.Objects([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range objects {
		names = append(names, o.Kind+"/"+o.Name)
	}
	slices.Sort(names)
	want := []string{"ConfigMap/untouched", "CronJob/nightly", "DaemonSet/nginx-ingress", "DaemonSet/nginx-ingress",
		"DaemonSet/small-agent",
		"Deployment/liberty", "Deployment/liberty", "Deployment/web", "Deployment/web", "Namespace/boutique",
		"Pod/busybox-kata", "Pod/busybox-kata", "Pod/db", "Pod/elsewhere", "Pod/gateway",
		"Pod/mirrored", "Pod/modify-sysctl", "Pod/modify-sysctl", "Pod/own", "Pod/proxy", "Pod/queue", "Pod/reports",
		"Pod/resolved", "Pod/search", "Pod/without", "RuntimeClass/kata-qemu",
		"StatefulSet/queue", "SysctlProfile/web-defaults"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInjectDiffOnlyAdds(t *testing.T) {
	_, out, _ := run(t, "", "inject", "-f", "testdata/inject/ingress.yaml", "-o", "diff")
	for _, line := range strings.Split(out, "\n")[2:] {
		if strings.HasPrefix(line, "-") {
			t.Errorf("a line is gone: %q", line)
		}
	}
	if !strings.Contains(out, "\n+      - name: sysctl-injector\n") || strings.Contains(out, "\x1b") {
		t.Errorf("got\n%s", out)
	}
}
