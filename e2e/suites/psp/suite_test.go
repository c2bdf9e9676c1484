// Package psp_test runs sysctl-injector on Kubernetes 1.24 with the admission plugin PodSecurityPolicy, installed by
// the chart: what PodSecurityPolicies admit with and without the companion that the server generates.
package psp_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	chart    = "../../../deploy/helm/sysctl-injector"
	patience = 30 * time.Second
	// developer may write what the ClusterRole "edit" says in a test's namespace, and may use no PodSecurityPolicy of
	// their own.
	developer = "developer"
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

	must = clustertest.Must
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

// clients returns one for the administrator, and one for a developer, whom no PodSecurityPolicy but the default
// admits.
func clients(t *testing.T) (admin, dev *kubernetes.Clientset) {
	t.Helper()
	of := func(user string) *kubernetes.Clientset {
		config := clustertest.AdminConfig(suite.Cluster(t))
		config.Impersonate = rest.ImpersonationConfig{UserName: user}
		client, err := kubernetes.NewForConfig(config)
		must(t, err)
		return client
	}
	return of(""), of(developer)
}

// newNamespace makes an enrolled namespace with service accounts, in which the developer may create pods.
func newNamespace(t *testing.T, name string, serviceAccounts ...string) {
	t.Helper()
	admin, _ := clients(t)
	labels := map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	_, err := clustertest.MakeNamespace(t.Context(), admin, metav1.ObjectMeta{Name: name, Labels: labels}, patience)
	must(t, err)
	for _, account := range serviceAccounts {
		_, err := admin.CoreV1().ServiceAccounts(name).Create(t.Context(),
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
		must(t, err)
	}
	bind(t, name, "edit", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: developer})
	eventually(t, "the developer may create pods", func(ctx context.Context) (string, bool) {
		_, err := suite.Cluster(t).Kubectl(ctx, "", "auth", "can-i", "create", "pods", "--namespace", name, "--as",
			developer)
		return fmt.Sprint(err), err == nil
	})
}

// bind binds a ClusterRole within a namespace.
func bind(t *testing.T, namespace, clusterRole string, subject rbacv1.Subject) {
	t.Helper()
	admin, _ := clients(t)
	_, err := admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: clusterRole + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	must(t, err)
}

func eventually(t *testing.T, what string, ask func(context.Context) (answer string, wanted bool)) {
	t.Helper()
	must(t, await.Answer(t.Context(), what, 50*time.Millisecond, patience, ask))
}
