// Package psp_test runs sysctl-injector on Kubernetes 1.24 with the admission plugin PodSecurityPolicy, installed by
// the chart: what PodSecurityPolicies admit with and without the companion that the server generates.
package psp_test

import (
	"context"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	chart    = "../../../deploy/helm/sysctl-injector"
	patience = 30 * time.Second
	// unsafe is a sysctl that Kubernetes 1.24 counts unsafe.
	unsafe = "net.core.somaxconn"
	// laterSafe is one that Kubernetes counts safe since 1.29.
	laterSafe = "net.ipv4.tcp_keepalive_time"
)

var (
	suite = clustertest.Suite{
		Config: cluster.Config{
			Kubernetes:    tools.LastWithPodSecurityPolicy,
			APIServerArgs: []string{"--enable-admission-plugins=PodSecurityPolicy"},
		},
		Prepare: prepare,
		Finish:  func(*cluster.Cluster) error { return installed.Remove() },
	}
	installed *installation.Installation // set by prepare

	eventually, must = clustertest.Answers(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare writes the administrator's policies and installs the chart.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if _, err := c.Kubectl(ctx, "", "apply", "-f", "testdata/policies.yaml"); err != nil {
		return err
	}
	certificate, err := c.ServingCertificate(installation.Name + "." + installation.Namespace + ".svc")
	if err != nil {
		return err
	}
	installed, err = installation.InstallChart(ctx, c, chart,
		"grants: {backend: psp}\nkubeletSysctls: ["+laterSafe+"]", certificate.CA)
	return err
}

// clients returns the clients of the administrator and of the developer. Only the default PodSecurityPolicy admits the
// developer.
func clients(t *testing.T) (admin, dev *kubernetes.Clientset) {
	t.Helper()
	return clustertest.Clients(t, suite.Cluster(t))
}

// newNamespace creates an enrolled namespace with service accounts, in which the developer may create pods.
func newNamespace(t *testing.T, name string, serviceAccounts ...string) {
	t.Helper()
	clustertest.DeveloperNamespace(t, suite.Cluster(t), metav1.ObjectMeta{Name: name,
		Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}}, serviceAccounts...)
}
