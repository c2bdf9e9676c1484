// Package enroll_test follows an administrator from a namespace that Pod Security admission holds to a standard, to the
// first injected pod in it, and back. The webhook, the grants and the guard are all in force.
package enroll_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const (
	patience = 30 * time.Second
	pace     = 50 * time.Millisecond
	guard    = "../../../deploy/guard.yaml"
)

var (
	suite     = clustertest.Suite{Prepare: prepare, Finish: func(*cluster.Cluster) error { return installed.Remove() }}
	must      = clustertest.Must
	installed *installation.Installation
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	installed, err = installation.Install(ctx, c, installation.Config{})
	return err
}

// person is a person at a terminal with kubectl and sysctl-injector.
type person struct {
	t *testing.T
	c *cluster.Cluster
}

func (p person) run(input, program string, args ...string) (stdout, stderr string, err error) {
	p.t.Helper()
	var out, errs strings.Builder
	var cmd *exec.Cmd
	if program == "sysctl-injector" {
		program = installed.Program
	}
	cmd = p.c.Command(p.t.Context(), program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (p person) must(input, program string, args ...string) string {
	p.t.Helper()
	out, errs, err := p.run(input, program, args...)
	if err != nil {
		p.t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, errs)
	}
	return out
}

// says runs a command and compares all that it prints. A command that fails must end with exit code 1.
func (p person) says(wantOut, wantErr, input, program string, args ...string) {
	p.t.Helper()
	out, errs, err := p.run(input, program, args...)
	if diff := cmp.Diff(wantOut, out); diff != "" {
		p.t.Errorf("%s %s: standard output (-want +got):\n%s", program, strings.Join(args, " "), diff)
	}
	if diff := cmp.Diff(wantErr, errs); diff != "" {
		p.t.Errorf("%s %s: standard error (-want +got):\n%s", program, strings.Join(args, " "), diff)
	}
	if failed := strings.Contains(wantErr, "error: "); failed != (err != nil) {
		p.t.Errorf("%s %s: %v", program, strings.Join(args, " "), err)
	}
}

// eventually runs a command until it prints what is wanted.
func (p person) eventually(wanted, input, program string, args ...string) {
	p.t.Helper()
	var said string
	if err := wait.PollUntilContextTimeout(p.t.Context(), pace, patience, true, func(context.Context) (bool, error) {
		out, errs, _ := p.run(input, program, args...)
		said = out + errs
		return strings.Contains(said, wanted), nil
	}); err != nil {
		p.t.Fatalf("%s %s: waits for %q, and it says\n%s", program, strings.Join(args, " "), wanted, said)
	}
}

// awaitServiceAccount waits for the service account "default", without which no pod can be created in the namespace.
func (p person) awaitServiceAccount(namespace string) {
	p.t.Helper()
	p.eventually("serviceaccount/default\n", "", "kubectl", "-n", namespace, "get", "serviceaccount", "default", "-o",
		"name")
}

// awaitInjection waits until pods of a namespace that was just enrolled are injected. The API server looks the
// namespace's new labels up in a cache of its own.
func (p person) awaitInjection(namespace string) {
	p.t.Helper()
	probe := strings.Replace(pod("probe", "net.core.somaxconn = 1024"), "namespace: shop", "namespace: "+namespace, 1)
	p.eventually("first: sysctl-injector", probe, "kubectl", "create", "--dry-run=server", "-f", "-", "-o",
		"jsonpath=first: {.spec.initContainers[0].name}")
}

// pod returns a pod that meets "restricted", with an annotation unless sysctls is empty.
func pod(name, sysctls string) string {
	annotations := "{}"
	if sysctls != "" {
		annotations = fmt.Sprintf("{sysctl-injector.dev/sysctls: %q}", sysctls)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  name: %s
  namespace: shop
  annotations: %s
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: web
    image: nginx
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`, name, annotations)
}

const fixIt = "fix the workloads, choose another --enforce, or add --yes"

// notCovered returns enroll's message about a guard that does not protect the namespace shop.
func (p person) notCovered(level, problem string) string {
	p.t.Helper()
	var server struct{ GitVersion string }
	if err := json.Unmarshal([]byte(p.must("", "kubectl", "get", "--raw", "/version")), &server); err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("error: namespace \"shop\": nothing would hold the other containers to %[1]q: %[2]s; install "+
		"the guard of this version (%[3]s) for Kubernetes %[4]s: sysctl-injector render guard --kubernetes-version "+
		"%[4]s | kubectl apply --server-side --force-conflicts -f -\n",
		level, problem, installation.Version, server.GitVersion)
}

func TestFromRestrictedToTheFirstInjectedPod(t *testing.T) {
	p := person{t, suite.Cluster(t)}
	p.createNamespace("shop", "pod-security.kubernetes.io/enforce=restricted",
		"pod-security.kubernetes.io/warn=restricted", "sysctl-injector.dev/inject=enabled")
	p.awaitServiceAccount("shop")

	// Pod Security would reject the injected container: the webhook says what to do.
	p.eventually("sysctl-injector enroll shop --enforce restricted", pod("web", "net.core.somaxconn = 1024"), "kubectl",
		"create", "-f", "-")
	p.must("", "kubectl", "label", "namespace", "shop", "sysctl-injector.dev/inject-")

	// Without the guard, nothing would take Pod Security's place.
	p.says("", p.notCovered("restricted", `ValidatingAdmissionPolicy "sysctl-injector-restricted" is not installed`),
		"", "sysctl-injector", "enroll", "shop")
	p.must("", "kubectl", "apply", "-f", guard)

	// enroll names a workload that the standard would reject, and asks the administrator.
	p.must("", "kubectl", "apply", "-f", "testdata/agent.yaml")
	const violations = "In namespace \"shop\", \"restricted\" would reject new pods of these workloads:\n" +
		"  DaemonSet \"agent\": host namespaces (hostNetwork=true), allowPrivilegeEscalation != false (container " +
		"\"agent\" must set securityContext.allowPrivilegeEscalation=false), " +
		"unrestricted capabilities (container \"agent\" must set securityContext.capabilities.drop=[\"ALL\"]), " +
		"runAsNonRoot != true (pod or container \"agent\" must set " +
		"securityContext.runAsNonRoot=true), seccompProfile (pod or container \"agent\" must set " +
		"securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")\n"
	p.says("", violations+"Continue? [y/N] \n"+`error: namespace "shop": nothing was changed; `+fixIt+"\n", "",
		"sysctl-injector", "enroll", "shop")
	const changes = `  label pod-security.kubernetes.io/enforce: change "restricted" to "privileged"
  label sysctl-injector.dev/enforce: add "restricted"
  label sysctl-injector.dev/inject: add "enabled"
  annotation sysctl-injector.dev/former-enforce: add "restricted"
`
	p.says("namespace/shop enrolled (server dry run)\n"+changes, violations, "", "sysctl-injector", "enroll", "shop",
		"--dry-run", "server")
	p.must("", "kubectl", "-n", "shop", "delete", "daemonset", "agent")
	before := p.must("", "kubectl", "get", "namespace", "shop", "-o",
		"jsonpath={.metadata.labels}{.metadata.annotations}")
	p.says("namespace/shop enrolled\n"+changes, "", "", "sysctl-injector", "enroll", "shop")
	p.says("namespace/shop unchanged\n", "", "", "sysctl-injector", "enroll", "shop", "--enforce", "restricted")
	p.awaitInjection("shop")

	// The injected pod is admitted. A pod that is privileged by itself is rejected, and so is a pod that does not meet
	// restricted. Both are tried without being created, as the guard may be in force only after the first attempt.
	p.eventually("pod/web created", pod("web", "net.core.somaxconn = 1024"), "kubectl", "create", "-f", "-")
	if got := p.must("", "kubectl", "-n", "shop", "get", "pod", "web", "-o",
		"jsonpath={.spec.initContainers[*].name} {.spec.initContainers[0].args}"); got != `sysctl-injector `+
		`["net.core.somaxconn=1024"]` {
		t.Errorf("got %s", got)
	}
	p.eventually(`allowPrivilegeEscalation != false (container "web"`,
		strings.Replace(pod("open", ""), "allowPrivilegeEscalation: false, ", "", 1), "kubectl", "create",
		"--dry-run=server", "-f", "-")
	p.eventually(`privileged (container "web" must not set securityContext.privileged=true)`,
		strings.Replace(pod("root", "net.core.somaxconn = 1024"), "allowPrivilegeEscalation: false", "privileged: true",
			1), "kubectl", "create", "--dry-run=server", "-f", "-")

	// And back: the labels are as before, and Pod Security admission acts again. The API server warns of the injected
	// pod.
	out, errs, err := p.run("", "sysctl-injector", "unenroll", "shop")
	if diff := cmp.Diff(`namespace/shop unenrolled
  label pod-security.kubernetes.io/enforce: change "privileged" to "restricted"
  label sysctl-injector.dev/enforce: remove "restricted"
  label sysctl-injector.dev/inject: remove "enabled"
  annotation sysctl-injector.dev/former-enforce: remove "restricted"
`, out); diff != "" || err != nil {
		t.Errorf("unenroll: %v (-want +got):\n%s", err, diff)
	}
	if want := "In namespace \"shop\", containers are held to \"restricted\" now; then Pod Security admission holds " +
		"them to \"restricted\".\nWarning: existing pods in namespace \"shop\" violate the new PodSecurity enforce " +
		"level \"restricted:latest\"\nWarning: web: "; !strings.HasPrefix(errs, want) ||
		strings.Count(errs, "Warning: ") != 2 {
		t.Errorf("unenroll: standard error\n%s\nwant\n%s", errs, want)
	}
	if after := p.must("", "kubectl", "get", "namespace", "shop", "-o",
		"jsonpath={.metadata.labels}{.metadata.annotations}"); after != before {
		t.Errorf("the namespace was\n%s\nand is\n%s", before, after)
	}
	p.eventually(`violates PodSecurity "restricted:latest"`, strings.Replace(pod("root", ""),
		"allowPrivilegeEscalation: false", "privileged: true", 1), "kubectl", "create", "-f", "-")
}

func TestEnrollAnUnknownNamespace(t *testing.T) {
	p := person{t, suite.Cluster(t)}
	p.says("", "error: namespace \"gone\": namespaces \"gone\" not found\n", "", "sysctl-injector", "unenroll", "gone")
}
