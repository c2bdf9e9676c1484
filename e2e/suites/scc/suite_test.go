// Package scc_test runs sysctl-injector, installed by the chart, beside OpenShift's own admission by
// SecurityContextConstraints. It checks which constraints admit the pods, and the resulting users, groups and SELinux
// levels.
package scc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	chart    = "../../../deploy/helm/sysctl-injector"
	patience = 30 * time.Second
	// usedConstraints is the annotation by which OpenShift says which constraints admitted a pod.
	usedConstraints = "openshift.io/scc"
	// The values that OpenShift would assign to each namespace of the tests.
	firstUID = 1000680000
	level    = "s0:c26,c15"
)

var (
	suite = clustertest.Suite{Prepare: prepare,
		Finish: func(*cluster.Cluster) error { return errors.Join(installed.Remove(), admission.stop()) }}
	admission = &openShift{}
	installed *installation.Installation // set by prepare

	must = clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare adds OpenShift's admission of pods to the cluster, and installs the chart.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if err := admission.start(ctx, c); err != nil {
		return err
	}
	certificate, err := c.ServingCertificate(installation.Name + "." + installation.Namespace + ".svc")
	if err != nil {
		return err
	}
	if installed, err = installation.InstallChart(ctx, c, chart, "grants: {backend: scc}", certificate.CA); err != nil {
		return err
	}
	// The chart's notes ask the administrator to apply these: the server may not create them.
	for _, further := range []string{"net.core.somaxconn", "--user-namespace"} {
		output, err := exec.CommandContext(ctx, installed.Program, "companion", "--backend=scc",
			"--serviceaccount=default", further).Output()
		if err != nil {
			return fmt.Errorf("companion %s: %w", further, err)
		}
		if _, err := c.Kubectl(ctx, string(output), "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return admission.untilCalled(ctx, c)
}

// ofOpenShift is the metadata of a namespace as OpenShift keeps it: with a range of users and groups and an SELinux
// level.
func ofOpenShift(name string) metav1.ObjectMeta {
	block := fmt.Sprintf("%d/10000", firstUID)
	return metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{openShiftLabel: "true"},
		Annotations: map[string]string{
			"openshift.io/sa.scc.uid-range": block, "openshift.io/sa.scc.supplemental-groups": block,
			"openshift.io/sa.scc.mcs": level,
		},
	}
}

// newNamespace creates a namespace in which the developer may create pods. It is enrolled at the standard, or not at
// all if the standard is "".
func newNamespace(t *testing.T, name, standard string, serviceAccounts ...string) {
	t.Helper()
	meta := ofOpenShift(name)
	if standard != "" {
		meta.Labels[v1alpha1.InjectLabel], meta.Labels[v1alpha1.EnforceLabel] = v1alpha1.InjectEnabled, standard
	}
	clustertest.DeveloperNamespace(t, clusterOf(t), meta, serviceAccounts...)
}

// program runs a command of sysctl-injector on an object.
func program(t *testing.T, object any, args ...string) string {
	t.Helper()
	content, err := yaml.Marshal(object)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), installed.Program, args...)
	var problem bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(content), &problem
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, problem.String())
	}
	return string(output)
}

// clusterOf returns the suite's cluster.
func clusterOf(t *testing.T) *cluster.Cluster {
	t.Helper()
	clustertest.RequireOwn(t, "it makes an OpenShift of a cluster, as far as pods are concerned")
	return suite.Cluster(t)
}

// clients returns the clients of the administrator and of the developer, who uses restricted-v2 and restricted-v3 as
// everybody does.
func clients(t *testing.T) (admin, dev *kubernetes.Clientset) {
	t.Helper()
	return clustertest.Clients(t, clusterOf(t))
}
