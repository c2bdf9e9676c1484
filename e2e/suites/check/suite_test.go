// Package check_test runs `sysctl-injector check` on a real API server: before an install, on a healthy installation,
// and on an installation that is broken in many ways, one at a time.
package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/binary"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

const (
	chart    = "../../../deploy/helm/sysctl-injector"
	patience = 30 * time.Second
	pace     = 100 * time.Millisecond
	// secret is the name of the Secret with the serving certificate in the chart's values.
	secret = "tls"
)

var (
	must  = clustertest.Must
	suite = clustertest.Suite{
		// No pod of the Deployment can run here, so the suite writes its status. The controller of Deployments would
		// overwrite it.
		Config:  cluster.Config{ControllerManagerArgs: []string{"--controllers=*,-deployment-controller"}},
		Prepare: prepare,
		Finish:  finish,
	}
	installed *installation.Installation
	client    *kubernetes.Clientset
	// program is the path of the command. Its directory is in the PATH of the scripts.
	program string
	// before is the report of check before the install.
	before report
	// node stands in for the kubelet.
	node *fakeKubelet
	// helmDir holds helm.
	helmDir string
	// own is a second CA that the API server trusts.
	own authority
	// workDir is the directory in which commands run. It holds the files tls.crt, tls.key and ca.crt of a healthy
	// installation.
	workDir string
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func finish(*cluster.Cluster) error {
	node.close()
	return installed.Remove()
}

// report is the output of `check -o json`.
type report struct {
	Installed bool
	Checks    []inspect.Check
	Counts    inspect.Counts

	code int
}

// prepare adds a node, runs check before the install, installs the chart and makes the installation healthy.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if client, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	if workDir, err = c.MkdirTemp("work"); err != nil {
		return err
	}
	if own, err = newAuthority("own"); err != nil {
		return err
	}
	if err := buildProgram(ctx, c); err != nil {
		return err
	}
	if node, err = startKubelet(ctx, c); err != nil {
		return err
	}
	if before, err = check(ctx, c); err != nil {
		return err
	}
	if err := install(ctx, c); err != nil {
		return err
	}
	_, err = shell(ctx, c, `
		kubectl create namespace shop
		sysctl-injector enroll shop --enforce restricted
		for account in web worker; do
			kubectl -n shop create serviceaccount $account
			sysctl-injector companion -n shop --serviceaccount $account net.core.somaxconn | kubectl apply -f -
		done
		kubectl apply -f $TESTDATA/pod.yaml`)
	return err
}

// buildProgram builds the command of the version that the chart installs.
func buildProgram(ctx context.Context, c *cluster.Cluster) error {
	content, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return err
	}
	var metadata struct{ AppVersion string }
	if err := yaml.Unmarshal(content, &metadata); err != nil {
		return err
	}
	dir, err := c.MkdirTemp("check")
	if err != nil {
		return err
	}
	program = filepath.Join(dir, "sysctl-injector")
	return binary.Config{Version: metadata.AppVersion,
		Platform: v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}}.Build(ctx, program)
}

// install installs the chart, with grants that an administrator applies, so that no server repairs them.
func install(ctx context.Context, c *cluster.Cluster) error {
	certificate, err := c.ServingCertificate(installation.Name + "." + installation.Namespace + ".svc")
	if err != nil {
		return err
	}
	trusted := slices.Concat(certificate.CA, own.pem)
	files := map[string][]byte{"tls.crt": certificate.Cert, "tls.key": certificate.Key, "ca.crt": trusted}
	if err := writeFiles(files); err != nil {
		return err
	}
	helm, err := tools.Ensure(ctx, "helm", os.Stderr)
	if err != nil {
		return err
	}
	helmDir = filepath.Dir(helm.Path("helm"))
	installed, err = installation.InstallChart(ctx, c, chart,
		"replicas: 1\ngrants: {mode: require}\nkubeletSysctls: [kernel.msg*]", trusted)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Secrets(installation.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secret}, Type: corev1.SecretTypeTLS, Data: files,
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = client.AppsV1().Deployments(installation.Namespace).Patch(ctx, installation.Name, types.MergePatchType,
		[]byte(`{"status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": `+
			`1}}`), metav1.PatchOptions{}, "status")
	return err
}

// prelude defines functions for scripts. save keeps the state of an object that a script changes or deletes, and
// restore brings it back.
const prelude = `
PATH="$0:$PATH"
SYSTEM=sysctl-injector-system IMAGE=docker.io/library/busybox:1.36
WEBHOOK="mutatingwebhookconfiguration sysctl-injector" WARNINGS="validatingwebhookconfiguration sysctl-injector"
save() { kubectl get "$@" -o yaml | sed '/^  resourceVersion:/d; /^  uid:/d' > saved.yaml; }
restore() { kubectl replace -f saved.yaml || kubectl create -f saved.yaml; }
patch() { kubectl patch "$1" "$2" --type=json -p "$3"; }
status() { kubectl -n $SYSTEM patch "$1" --subresource=status --type=merge -p '{"status": '"$2"'}'; }
create() { kubectl create -f - <<< "$1"; }
namespace() { create "{apiVersion: v1, kind: Namespace, metadata: {name: broken, $1}}"; }
guard() { sysctl-injector render guard "$@" | kubectl apply --server-side --force-conflicts -f -; }
serve() {
	kubectl -n $SYSTEM create secret tls tls --cert="$1.crt" --key="$1.key" --dry-run=client -o yaml |
		kubectl replace -f -
}
`

// writeFiles writes files to workDir, with additional certificates that should not be served.
func writeFiles(files map[string][]byte) error {
	const (
		day  = 24 * time.Hour
		name = installation.Name + "." + installation.Namespace + ".svc"
	)
	other, err := newAuthority("other")
	if err != nil {
		return err
	}
	all := maps.Clone(files)
	all["other.crt"] = other.pem
	now := time.Now()
	for file, of := range map[string]struct {
		name        string
		from, until time.Duration
	}{"expired": {name, -90 * day, -day}, "late": {name, -85 * day, 5 * day}, "elsewhere": {"elsewhere.svc", -day,
		89 * day}} {
		if all[file+".crt"], all[file+".key"], err = own.issue(of.name, now.Add(of.from),
			now.Add(of.until)); err != nil {
			return err
		}
	}
	for file, content := range all {
		if err := os.WriteFile(filepath.Join(workDir, file), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// shell runs a script with the program and kubectl in the PATH, and the path of the chart in $CHART. It stops at the
// first error.
func shell(ctx context.Context, c *cluster.Cluster, script string) (string, error) {
	cmd := c.Command(ctx, "bash", "-euo", "pipefail", "-c", prelude+script,
		filepath.Dir(program)+string(os.PathListSeparator)+helmDir)
	cmd.Dir = workDir
	for variable, path := range map[string]string{"CHART": chart, "TESTDATA": "testdata"} {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		cmd.Env = append(cmd.Env, variable+"="+absolute)
	}
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", script, err, out.String(), errOut.String())
	}
	return out.String(), nil
}

// check runs the command with additional flags.
func check(ctx context.Context, c *cluster.Cluster, flags ...string) (report, error) {
	cmd := c.Command(ctx, program, append([]string{"check", "-o", "json"}, flags...)...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		return report{}, err
	}
	r := report{code: cmd.ProcessState.ExitCode()}
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		return r, fmt.Errorf("%w: %s%s", err, out.String(), errOut.String())
	}
	return r, nil
}

// findings are the checks that did not pass.
func (r report) findings() []inspect.Check {
	var all []inspect.Check
	for _, c := range r.Checks {
		if c.Status != inspect.Passed {
			all = append(all, c)
		}
	}
	return all
}

// awaitHealthy waits until every check passes.
func awaitHealthy(t *testing.T) {
	t.Helper()
	c := suite.Cluster(t)
	err := await.Answer(t.Context(), "every check to pass", pace, patience, func(ctx context.Context) (string, bool) {
		r, err := check(ctx, c)
		return fmt.Sprintf("%v %v", r.findings(), err), err == nil && len(r.findings()) == 0
	})
	must(t, err)
}

func mustShell(t *testing.T, script string) string {
	t.Helper()
	out, err := shell(t.Context(), suite.Cluster(t), script)
	must(t, err)
	return out
}
