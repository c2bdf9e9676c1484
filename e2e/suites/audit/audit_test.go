// Package audit_test runs `sysctl-injector audit` against a real API server: its findings, the permissions that it
// needs, and its cost for 10,000 pods.
package audit_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/docs/reader"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/picture"
	"github.com/sysctl-injector/sysctl-injector/webhook/audit"
)

var update = flag.Bool("update", false, "rewrite the report and the picture in docs")

var (
	must  = clustertest.Must
	suite = clustertest.Suite{Prepare: prepare}

	program string
	client  *kubernetes.Clientset
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func prepare(ctx context.Context, c *cluster.Cluster) error {
	dir, err := c.MkdirTemp("audit")
	if err != nil {
		return err
	}
	program = filepath.Join(dir, "sysctl-injector")
	if err := installation.Build(ctx, program); err != nil {
		return err
	}
	client, err = kubernetes.NewForConfig(clustertest.AdminConfig(c))
	return err
}

// run runs the program in the cluster's network.
func run(t testing.TB, name string, args ...string) (stdout, stderr string, code int, usage *syscall.Rusage) {
	t.Helper()
	var out, errOut strings.Builder
	cmd := suite.Cluster(t).Command(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	usage, _ = cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode(), usage
}

// The workloads of testdata/workloads.yaml are found as its comments say.
func TestAudit(t *testing.T) {
	if _, problem, code, _ := run(t, "kubectl", "apply", "-f", "testdata/workloads.yaml"); code != 0 {
		t.Fatal(problem)
	}
	out, problem, code, _ := run(t, program, "audit", "-A", "-o", "json")
	if code != 0 || problem != "" {
		t.Fatalf("exit code %d: %s", code, problem)
	}
	var report audit.Report
	must(t, json.Unmarshal([]byte(out), &report))
	var found []string
	for _, f := range report.Workloads {
		line := fmt.Sprintf("%s %s/%s", f.Namespace, f.Kind, f.Name)
		if f.Pods > 0 {
			line += fmt.Sprintf(" (%d)", f.Pods)
		}
		for _, c := range f.Containers {
			line += fmt.Sprintf(", %s %t", c.Name, c.Converts)
		}
		for _, n := range f.Native {
			line += fmt.Sprintf(", native %s = %s %t", n.Name, n.Value, n.Converts)
		}
		found = append(found, line)
	}
	want := []string{
		"audit-open CronJob/nightly, tune true",
		"audit-open Deployment/web, tune true",
		"audit-open Pod/bare, tune true",
		"audit-open Rollout/checkout (1), tune false",
		"audit-open Search/logs (2), tune false",
		"audit-other DaemonSet/agent, maps false",
		"audit-other StatefulSet/voice, native net.core.somaxconn = 8 true",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]audit.Namespace{{Name: "audit-open", Standard: "restricted"}},
		report.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	page, problem, code, _ := run(t, program, "audit", "-A", "-o", "html")
	if code != 0 || !strings.Contains(page, "<span class=\"name\">checkout</span>") {
		t.Errorf("-o html: exit code %d, %s, %s", code, problem, page)
	}
	if *update {
		must(t, picture.Take(t.Context(), page, "../../../docs/images/audit.webp", 1280))
	}
	if out, _, _, _ := run(t, program, "audit", "-n", "audit-open", "-l", "app=web"); strings.Contains(out,
		"nightly") || !strings.Contains(out, "Deployment/web") ||
		!strings.Contains(out, "Namespaces are not judged: -l selects only some of their workloads.\n") ||
		strings.Contains(out, "Namespace audit-open") {
		t.Errorf("with a selector:\n%s", out)
	}
}

// The commands of the page print what it shows, on the workloads of testdata/workloads.yaml. With -update, what they
// print is written into the page.
func TestAuditPage(t *testing.T) {
	if _, problem, code, _ := run(t, "kubectl", "apply", "-f", "testdata/workloads.yaml"); code != 0 {
		t.Fatal(problem)
	}
	page, found := reader.Find("docs/audit.md")
	if !found {
		t.Fatal("docs/reader does not have the page")
	}
	defer run(t, "kubectl", "delete", "namespace", "shop")
	c := suite.Cluster(t)
	reader.Reader{Checkout: filepath.Join("..", "..", ".."), Command: c.Command,
		Path: []string{filepath.Dir(program), c.Binaries().Dir}, Exact: true, Update: *update}.Run(t, page)
}

// The cluster's own policies decide what convert would change. The report names them.
func TestAuditByTheClustersPolicies(t *testing.T) {
	const own = "apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlPolicy\nmetadata: {name: %s}\nspec:\n" +
		"  allow: [{names: [%s], kernels: [Shared]}]\n"
	crds := filepath.Join("..", "..", "..", "templates", "crds")
	kubectl := func(args ...string) {
		t.Helper()
		if _, problem, code, _ := run(t, "kubectl", args...); code != 0 {
			t.Fatal(problem)
		}
	}
	kubectl("apply", "-f", "testdata/workloads.yaml")
	converts := func() (policies string, web bool) {
		out, problem, code, _ := run(t, program, "audit", "-n", "audit-open", "-o", "json")
		var report audit.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
			t.Fatalf("%v: exit code %d, %s", err, code, problem)
		}
		for _, f := range report.Workloads {
			if f.Name == "web" {
				return report.Policies, f.Verdict == audit.Converts
			}
		}
		t.Fatalf("web is not found: %s", out)
		return "", false
	}
	if policies, web := converts(); !web || !strings.HasPrefix(policies,
		"the built-in default, since the cluster has no SysctlPolicies") {
		t.Errorf("without the kinds: converts %t by %s", web, policies)
	}
	kubectl("apply", "-f", crds)
	defer run(t, "kubectl", "delete", "-f", crds)
	kubectl("wait", "--for=condition=Established", "-f", crds, "--timeout=30s")
	if policies, web := converts(); web || policies != "none: the cluster has no SysctlPolicy, so it allows nothing" {
		t.Errorf("without a policy: converts %t by %s", web, policies)
	}
	for _, step := range []struct {
		name, allows string
		web          bool
		policies     string
	}{
		{"ports", "net.ipv4.ip_local_port_range", false, "the cluster's own, ports"},
		{"queues", "net.core.*", true, "the cluster's own, ports, queues"},
	} {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		must(t, os.WriteFile(path, fmt.Appendf(nil, own, step.name, step.allows), 0o600))
		kubectl("apply", "-f", path)
		if policies, web := converts(); web != step.web || policies != step.policies {
			t.Errorf("%s: converts %t by %s", step.name, web, policies)
		}
	}
}

// The report and the exit code show that the caller may not list a kind.
func TestAuditWithFewPermissions(t *testing.T) {
	const namespace = "audit-reader"
	for _, args := range [][]string{
		{"create", "namespace", namespace},
		{"create", "serviceaccount", "reader", "-n", namespace},
		{"create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=pods,deployments.apps"},
		{"create", "rolebinding", "reader", "-n", namespace, "--role=reader", "--serviceaccount=" +
			namespace + ":reader"},
	} {
		if _, problem, code, _ := run(t, "kubectl", args...); code != 0 {
			t.Fatal(problem)
		}
	}
	clustertest.AwaitCanI(t, suite.Cluster(t), true, namespace, "system:serviceaccount:"+namespace+":reader", "list",
		"deployments.apps")
	token, problem, code, _ := run(t, "kubectl", "create", "token", "reader", "-n", namespace)
	if code != 0 {
		t.Fatal(problem)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content, err := os.ReadFile(suite.Cluster(t).Kubeconfig())
	must(t, err)
	must(t, os.WriteFile(kubeconfig, content, 0o600))
	for _, args := range [][]string{
		{"config", "--kubeconfig", kubeconfig, "set-credentials", "reader", "--token=" + strings.TrimSpace(token)},
		{"config", "--kubeconfig", kubeconfig, "set-context", "--current", "--user=reader"},
	} {
		if _, problem, code, _ := run(t, "kubectl", args...); code != 0 {
			t.Fatal(problem)
		}
	}
	out, problem, code, _ := run(t, program, "audit", "--kubeconfig", kubeconfig, "-n", namespace)
	if code != 1 || !strings.Contains(problem, "error: the report is incomplete: ") ||
		!strings.Contains(out, "Not looked at: objects of kind CronJob: ") ||
		!strings.Contains(out, "Namespaces are not judged: some of their workloads may be missing") ||
		strings.Contains(out, "kind Deployment") {
		t.Errorf("exit code %d\n%s\n%s", code, problem, out)
	}
}

// BenchmarkAudit measures time and memory on 10,000 pods of 100 owners that are no built-in workload.
func BenchmarkAudit(b *testing.B) {
	suite.Cluster(b)
	const owners, podsOfEach, namespace = 100, 100, "audit-large"
	clustertest.Namespace(b, client, metav1.ObjectMeta{Name: namespace})
	var made atomic.Int64
	group, ctx := errgroup.WithContext(b.Context())
	group.SetLimit(16)
	for n := range owners {
		owner, err := client.CoreV1().ConfigMaps(namespace).Create(ctx,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("cache-%d", n)}}, metav1.CreateOptions{})
		must(b, err)
		for range podsOfEach {
			group.Go(func() error {
				_, err := client.CoreV1().Pods(namespace).Create(ctx, largePod(owner), metav1.CreateOptions{})
				made.Add(1)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("after %d pods: %v", made.Load(), err)
	}
	for b.Loop() {
		begun := time.Now()
		out, problem, code, usage := run(b, program, "audit", "-A")
		if code != 0 {
			b.Fatal(problem)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		b.Logf("%.1f s, %.1f s of CPU time, at most %d MiB: %s", time.Since(begun).Seconds(),
			time.Duration(usage.Utime.Nano()+usage.Stime.Nano()).Seconds(), usage.Maxrss>>10, lines[len(lines)-1])
	}
}

// largePod is a pod of about 5 KB with an init container that sets a sysctl.
func largePod(owner *corev1.ConfigMap) *corev1.Pod {
	var env []corev1.EnvVar
	for n := range 40 {
		env = append(env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", n), Value: strings.Repeat("value ", 12)})
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: owner.Name + "-",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name,
				UID: owner.UID, Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"no-such": "node"},
			InitContainers: []corev1.Container{{
				Name: "tune", Image: "busybox:1.36", Command: []string{"sh", "-c",
					"set -e\nsysctl -w net.core.somaxconn=1024\nsysctl -w net.ipv4.tcp_tw_reuse=1"},
				SecurityContext: &corev1.SecurityContext{Privileged: new(true), RunAsUser: new(int64)},
			}},
			Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1", Env: env}},
		},
	}
}
