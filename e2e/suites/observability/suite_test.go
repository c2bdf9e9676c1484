// Package observability_test checks the metrics of the real program, the dashboard and the alerts that use them, and
// the page that explains them.
package observability_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

var (
	suite     = clustertest.Suite{Prepare: prepare, Finish: finish}
	must      = clustertest.Must
	installed *installation.Installation
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare starts a server that has every metric there is: with a cert-manager Certificate, a policy on trial, and a
// pod rejected.
func prepare(ctx context.Context, c *cluster.Cluster) error {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/cert-manager/cert-manager").Output()
	if err != nil {
		return fmt.Errorf("find the module github.com/cert-manager/cert-manager: %w", err)
	}
	definition := filepath.Join(strings.TrimSpace(string(module)), "deploy", "crds",
		"cert-manager.io_certificates.yaml")
	for _, args := range []string{
		"apply --server-side -f " + definition,
		"wait --for=condition=Established customresourcedefinitions --all --timeout=30s",
		"apply -f testdata/cluster.yaml",
		`patch certificate sysctl-injector -n sysctl-injector-system --subresource=status --type=merge -p ` +
			`{"status":{"renewalTime":"2032-01-01T03:04:05Z"}}`,
	} {
		if output, err := kubectl(ctx, c, args); err != nil {
			return fmt.Errorf("kubectl %s: %w\n%s", args, err, output)
		}
	}
	if installed, err = installation.Install(ctx, c,
		installation.Config{Args: []string{"--certificate=sysctl-injector", "--grants-grace-period=30s"}}); err != nil {
		return err
	}
	err = await.Answer(ctx, "the server to have read the Certificate", 100*time.Millisecond, 30*time.Second,
		func(ctx context.Context) (string, bool) {
			metrics, err := installed.Server().Get(ctx, "/metrics")
			return fmt.Sprintf("%v\n%s", err, metrics),
				strings.Contains(metrics, "\nsysctl_injector_certmanager_certificate_renewal_timestamp_seconds")
		})
	if err != nil {
		return err
	}
	if output, err := kubectl(ctx, c, "apply -f testdata/trial.yaml"); err != nil {
		return fmt.Errorf("kubectl apply: %w\n%s", err, output)
	}
	tried := 0
	err = await.Answer(ctx, "the policy on trial", 100*time.Millisecond, 30*time.Second,
		func(ctx context.Context) (string, bool) {
			tried++
			output, _ := kubectl(ctx, c, fmt.Sprintf("run tried-%d -n shop --image=busybox "+
				"--annotations=sysctl-injector.dev/sysctls=net.core.somaxconn=4096", tried))
			return output, strings.Contains(output, "SysctlPolicy on-trial")
		})
	if err != nil {
		return err
	}
	output, err := kubectl(ctx, c,
		"run rejected -n shop --image=busybox --annotations=sysctl-injector.dev/sysctls=vm.swappiness=1")
	if !strings.Contains(output, "NodeLevel: ") {
		return fmt.Errorf("the pod was to be rejected: %w\n%s", err, output)
	}
	return nil
}

func kubectl(ctx context.Context, c *cluster.Cluster, args string) (output string, err error) {
	said, err := c.Command(ctx, "kubectl", strings.Fields(args)...).CombinedOutput()
	return string(said), err
}

func finish(*cluster.Cluster) error { return installed.Remove() }

// families returns the metrics of the running server, by name.
func families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	suite.Cluster(t)
	metrics, err := installed.Server().Get(t.Context(), "/metrics")
	must(t, err)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	found, err := parser.TextToMetricFamilies(strings.NewReader(metrics))
	must(t, err)
	return found
}

// exported returns the names of each metric's labels, by the metric's name. A histogram appears as its buckets.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for name, family := range families(t) {
		var labels []string
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				labels = append(labels, label.GetName())
			}
		}
		slices.Sort(labels)
		labels = slices.Compact(labels)
		if family.GetType().String() == "HISTOGRAM" {
			name, labels = name+"_bucket", append(labels, "le")
		}
		found[name] = labels
	}
	return found
}
