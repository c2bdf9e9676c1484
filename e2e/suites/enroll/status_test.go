package enroll_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patchStatus writes a pod's status as a kubelet does.
func (p person) patchStatus(pod, initContainer string) {
	p.t.Helper()
	patch := fmt.Sprintf(`{"status":{"initContainerStatuses":[{"name":"sysctl-injector","ready":false,`+
		`"restartCount":0,"image":"","imageID":"",%s}]}}`, initContainer)
	p.must("", "kubectl", "-n", "status", "patch", "pod", pod, "--subresource=status", "--type=merge", "-p", patch)
}

// Ages and counts depend on the machine. An age may have two units: 2m5s.
var (
	ages  = regexp.MustCompile(`\b(?:\d+[dhms])+( *(?:\n|  | ago))`)
	times = regexp.MustCompile(` and \d+ times in all`)
)

// status runs the command and compares its output with ages as 1s and the ReplicaSet's suffixes as HASH.
func (p person) status(want string, program string, args ...string) {
	p.t.Helper()
	out, errs, err := p.run("", program, args...)
	if err != nil || errs != "" {
		p.t.Errorf("%v: %v: %s", args, err, errs)
	}
	hash := regexp.MustCompile(`web-[0-9a-z]+-[0-9a-z]{5}`)
	out = times.ReplaceAllString(ages.ReplaceAllString(hash.ReplaceAllString(out, "web-HASH"), "1s$1"), "")
	out = regexp.MustCompile(` +`).ReplaceAllString(out, " ")
	out = strings.ReplaceAll(strings.ReplaceAll(out, " \n", "\n"), "\n ",
		" ") // line breaks depend on the texts that were cut out
	if diff := cmp.Diff(want, out); diff != "" {
		p.t.Errorf("%v (-want +got):\n%s", args, diff)
	}
}

// status shows the states of the init containers that a kubelet reports, and the workloads without pods.
func TestStatus(t *testing.T) {
	p := withGuard(t)
	p.createNamespace("status", "sysctl-injector.dev/inject=enabled", "sysctl-injector.dev/enforce=privileged")
	p.awaitServiceAccount("status")
	p.says("No injected pods found in namespace \"status\".\n", "", "", "sysctl-injector", "status", "-n", "status")
	p.eventually("pod/alone", "", "kubectl", "apply", "-f", "testdata/status.yaml")
	p.eventually("web-", "", "kubectl", "-n", "status", "get", "pods", "-l", "app=web", "-o", "name")
	p.eventually("SysctlRefused", "", "kubectl", "-n", "status", "get", "events", "-o", "custom-columns=:.reason")
	web := strings.TrimSpace(p.must("", "kubectl", "-n", "status", "get", "pods", "-l", "app=web", "-o",
		"jsonpath={.items[0].metadata.name}"))

	const rejected = "\nRejected:\nstatus/Deployment/rejected, 1s ago: NodeLevel: " +
		"metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: vm.swappiness is node-level: it would " +
		"change the node and every pod on it. An administrator can set it on the node, or the pod can run under a " +
		"RuntimeClass that gives it a kernel of its own (Kata Containers, for one)\n"
	p.patchStatus("alone", `"state":{"waiting":{"reason":"PodInitializing"}}`)
	p.patchStatus(web, `"state":{"waiting":{"reason":"PodInitializing"}}`)
	watched := p.watch("status", "-n", "status", "-l", "app=web", "--watch", "-o", "json")
	if line := watched(); !strings.Contains(line, `"state":"Waiting"`) {
		t.Errorf("the first line of the watch is %s", line)
	}
	p.patchStatus(web, `"state":{"terminated":{"exitCode":0,"reason":"Completed"}}`)
	if line := watched(); !strings.Contains(line, `"state":"Set","exitCode":0}`) ||
		!strings.Contains(line, `"owner":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}`) {
		t.Errorf("the second line of the watch is %s", line)
	}
	p.patchStatus("alone",
		`"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,`+
			`"reason":"Error","message":"net.core.somaxconn is 128, wanted 4096"}}`)

	p.status("NAME STATE FORM SYSCTLS OWNER AGE\n"+
		"alone Failed verify net.core.somaxconn=4096 <none> 1s\n"+
		"web-HASH Set privileged net.core.somaxconn=4096,+1 Deployment/web 1s\n"+
		"\nstatus/alone: exit code 1: net.core.somaxconn is 128, wanted 4096\n"+rejected, "sysctl-injector", "status",
		"-n", "status")
	p.status("NAMESPACE NAME STATE FORM SYSCTLS OWNER AGE EXIT RESTARTS KERNEL PROFILES NODE\n"+
		"status web-HASH Set privileged net.core.somaxconn=4096,kernel.sem=1 2 3 4 Deployment/web 1s 0 0 Shared "+
		"<none> <none>\n",
		"sysctl-injector", "status", "-A", "-l", "app=web", "-o", "wide")

	// The same as a plugin of the real kubectl.
	folder := t.TempDir()
	must(t, os.Symlink(installed.Program, filepath.Join(folder, "kubectl-sysctl_injector")))
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	p.status("No injected pods found in namespace \"status\".\n"+rejected, "kubectl", "sysctl-injector", "status", "-n",
		"status", "-l", "app=rejected")
	p.says("", "error: unknown flag: --nope\nSee 'kubectl sysctl-injector status --help'.\n", "", "kubectl",
		"sysctl-injector", "status", "--nope")
}

// watch starts a command that does not end by itself, and returns a function that waits for its next line.
func (p person) watch(args ...string) (next func() string) {
	p.t.Helper()
	var errs strings.Builder
	cmd := p.c.Command(p.t.Context(), installed.Program, args...)
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	must(p.t, err)
	must(p.t, cmd.Start())
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-p.t.Context().Done():
				return
			}
		}
	}()
	return func() string {
		p.t.Helper()
		select {
		case line, open := <-lines:
			if !open {
				p.t.Fatalf("%v ended: %v: %s", args, cmd.Wait(), &errs)
			}
			return line
		case <-time.After(patience):
			p.t.Fatalf("%v prints no line within %s", args, patience)
		}
		return ""
	}
}

const defaultProfile = `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlProfile
metadata: {name: by-default}
spec:
  sysctls: net.core.somaxconn = 4096
  appliesTo: {namespaceSelector: {matchLabels: {team: selected}}, podSelector: {matchLabels: {tier: web}}}
---
apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlProfile
metadata: {name: by-name}
spec: {sysctls: net.core.somaxconn = 4096}
`

// Namespaces are selected by their labels, and get defaults only where a profile applies.
func TestEnrollSelectedNamespacesWithDefaults(t *testing.T) {
	p := withGuard(t)
	p.createNamespace("selected-a", "team=selected")
	p.createNamespace("selected-b", "team=selected")
	p.createNamespace("unselected")
	p.must(defaultProfile, "kubectl", "apply", "-f", "-")
	defer p.must("", "kubectl", "delete", "sysctlprofile", "by-default", "by-name")

	const problem = "error: namespace \"unselected\": --defaults: "
	p.says("", problem+"SysctlProfile \"by-default\" does not select this namespace: its spec.appliesTo is for "+
		"namespaces with team=selected\n", "",
		"sysctl-injector", "enroll", "unselected", "--defaults", "by-default")
	p.says("", problem+"SysctlProfile \"by-name\" applies only to pods that name it: it has no spec.appliesTo\n", "",
		"sysctl-injector", "enroll", "-n", "unselected", "--defaults", "by-name")
	if _, errs, err := p.run("", "sysctl-injector", "enroll", "unselected", "--defaults", "missing"); err == nil ||
		!strings.HasPrefix(errs, problem+"there is no SysctlProfile \"missing\"; there are by-default, by-name") {
		t.Errorf("%v: %s", err, errs)
	}
	var out, errs strings.Builder
	for _, name := range []string{"selected-a", "selected-b"} {
		fmt.Fprintf(&errs,
			"SysctlProfiles that apply to pods of namespace %q by default: by-default (pods with tier=web)\n", name)
		fmt.Fprintf(&out, "namespace/%s enrolled\n  label pod-security.kubernetes.io/enforce: add \"privileged\"\n"+
			"  label sysctl-injector.dev/defaults: add \"enabled\"\n"+
			"  label sysctl-injector.dev/enforce: add \"baseline\"\n"+
			"  label sysctl-injector.dev/inject: add \"enabled\"\n  annotation "+
			"sysctl-injector.dev/former-enforce: add \"\"\n", name)
	}
	p.says(out.String(), errs.String(), "", "sysctl-injector", "enroll", "-l", "team=selected",
		"--defaults", "by-default")
	p.says("", "error: no namespace is selected\n", "", "sysctl-injector", "unenroll", "-l", "team=nobody")
	unenrolled := p.must("", "sysctl-injector", "unenroll", "-l", "team=selected", "--yes")
	if got := strings.Count(unenrolled, " unenrolled\n"); got != 2 ||
		strings.Count(unenrolled, "sysctl-injector.dev/defaults: remove") != 2 {
		t.Errorf("unenroll says\n%s", unenrolled)
	}
}
