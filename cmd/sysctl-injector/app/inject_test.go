package app

import (
	"strings"
	"testing"
)

// Another tool put its init container in front of ours: inject moves ours back, and changes nothing else.
func TestInjectMovesTheContainerBackToTheFront(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web # ours\n  annotations:\n    sysctl-injector.dev/sysctls: net.core.somaxconn = 4096\n" +
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
