// Package chart_test renders the chart with helm, and passes the result to a real API server.
package chart_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

const (
	chart   = "../../../deploy/helm/sysctl-injector"
	release = "sysctl-injector"
	// namespace is the usual namespace, and elsewhere is another.
	namespace = "sysctl-injector-system"
	elsewhere = "kernel-parameters"
)

var (
	update = flag.Bool("update", false, "rewrite deploy/install.yaml")
	suite  = clustertest.Suite{Prepare: prepare}
	must   = clustertest.Must
	admin  client.Client
	// rendered caches helm's output.
	rendered = map[string]string{}
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare makes the namespaces, and the kinds that the chart's objects are of: its own, those of cert-manager, and in
// outline those of the Prometheus operator.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if admin, err = client.New(clustertest.AdminConfig(c), client.Options{}); err != nil {
		return err
	}
	for _, name := range []string{namespace, elsewhere} {
		if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	if err := defineCertManager(ctx, c); err != nil {
		return err
	}
	if err := kubectl(ctx, c, "apply", "--server-side", "-f", filepath.Join(chart,
		"crds")+",testdata/prometheus-operator.yaml"); err != nil {
		return err
	}
	return kubectl(ctx, c, "wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=30s")
}

// defineCertManager installs the definitions that cert-manager ships.
func defineCertManager(ctx context.Context, c *cluster.Cluster) error {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/cert-manager/cert-manager").Output()
	if err != nil {
		return fmt.Errorf("find the module github.com/cert-manager/cert-manager: %w", err)
	}
	return kubectl(ctx, c, "apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(module)),
		"deploy", "crds"))
}

func kubectl(ctx context.Context, c *cluster.Cluster, args ...string) error {
	_, err := c.Kubectl(ctx, "", args...)
	return err
}

// findHelm finds helm, or builds it where the suites are wanted.
func findHelm(t testing.TB) string {
	t.Helper()
	found, err := tools.Find("helm")
	if errors.Is(err, tools.ErrNotBuilt) {
		if os.Getenv(clustertest.Wanted) != "1" {
			t.Skipf("SKIPPED, the chart was not rendered: %v. `make test-api` builds it", err)
		}
		found, err = tools.Ensure(t.Context(), "helm", os.Stderr)
	}
	must(t, err)
	return found.Path("helm")
}

// helm runs helm on the suite's cluster, with values from standard input where "-f -" asks for them.
func helm(t testing.TB, values string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return run(suite.Cluster(t).Command(t.Context(), findHelm(t), args...), values)
}

// template runs `helm template` with values. It needs no cluster.
func template(t testing.TB, values string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	args = append([]string{"template", "-f", "-"}, args...)
	return run(exec.CommandContext(t.Context(), findHelm(t), args...), values)
}

func run(cmd *exec.Cmd, stdin string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// render renders the chart with values, into a namespace; each once.
func render(t testing.TB, namespace, values string, flags ...string) string {
	t.Helper()
	args := append([]string{release, chart, "--namespace", namespace}, flags...)
	key := strings.Join(append(args, values), "\n")
	if rendered[key] == "" {
		output, problem, err := template(t, values, args...)
		if err != nil {
			t.Fatalf("helm template: %v\n%s", err, problem)
		}
		rendered[key] = output
	}
	return rendered[key]
}

// decode reads what was rendered.
func decode(t testing.TB, manifest string) (objects []*unstructured.Unstructured) {
	t.Helper()
	for _, document := range strings.Split("\n"+manifest, "\n---\n") {
		content, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if string(content) == "null" { // comments, and nothing else
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(content); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// find returns the object with a kind and name.
func find(t testing.TB, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	t.Fatalf("there is no %s %q", kind, name)
	return nil
}
