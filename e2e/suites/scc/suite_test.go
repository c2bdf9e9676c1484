// Package scc_test runs sysctl-injector beside OpenShift's own admission by SecurityContextConstraints, installed by
// the chart: which of them admit the pods, and what they make of the pods' users, groups and SELinux levels.
package scc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	chart    = "../../../deploy/helm/sysctl-injector"
	patience = 30 * time.Second
	// developer may write what the ClusterRole "edit" says in a test's namespace, and uses restricted-v2 and
	// restricted-v3 as everybody does.
	developer = "developer"
	// usedConstraints is the annotation by which OpenShift says which constraints admitted a pod.
	usedConstraints = "openshift.io/scc"
	// What OpenShift allots to each namespace of the tests.
	firstUID = 1000680000
	level    = "s0:c26,c15"
)

var (
	suite = clustertest.Suite{Prepare: prepare,
		Finish: func(*cluster.Cluster) error { return errors.Join(installed.Remove(), admission.stop()) }}
	admission = &openShift{}
	must      = clustertest.Must
	installed *installation.Installation // set by prepare
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare makes an OpenShift of the cluster, as far as pods are concerned, and installs the chart.
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
	// The chart's notes tell the administrator to apply these: the server may not create them.
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

// newNamespace makes a namespace in which the developer may create pods. Its injected pods are enrolled at a
// standard; "" for none.
func newNamespace(t *testing.T, name, standard string, serviceAccounts ...string) {
	t.Helper()
	admin, _ := clients(t)
	meta := ofOpenShift(name)
	if standard != "" {
		meta.Labels[v1alpha1.InjectLabel], meta.Labels[v1alpha1.EnforceLabel] = v1alpha1.InjectEnabled, standard
	}
	_, err := clustertest.MakeNamespace(t.Context(), admin, meta, patience)
	must(t, err)
	for _, account := range serviceAccounts {
		_, err := admin.CoreV1().ServiceAccounts(name).Create(t.Context(),
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
		must(t, err)
	}
	bind(t, name, "edit", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: developer})
	eventually(t, "the developer may create pods", func(ctx context.Context) (string, bool) {
		return canI(ctx, t, name, developer, "create", "pods")
	})
}

// bind binds a ClusterRole within a namespace.
func bind(t *testing.T, namespace, clusterRole string, subject rbacv1.Subject) {
	t.Helper()
	admin, _ := clients(t)
	_, err := admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: strings.ReplaceAll(clusterRole, ":", "-") + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	must(t, err)
}

// canI asks the API server's authorizer.
func canI(ctx context.Context, t *testing.T, namespace, user, verb, resource string) (answer string, yes bool) {
	t.Helper()
	answer, err := clusterOf(t).Kubectl(ctx, "", "auth", "can-i", verb, resource, "--namespace", namespace, "--as", user)
	return answer, err == nil
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

// clients returns one for the administrator, and one for a developer.
func clients(t *testing.T) (admin, dev *kubernetes.Clientset) {
	t.Helper()
	of := func(user string) *kubernetes.Clientset {
		config := clustertest.AdminConfig(clusterOf(t))
		config.Impersonate = rest.ImpersonationConfig{UserName: user}
		client, err := kubernetes.NewForConfig(config)
		must(t, err)
		return client
	}
	return of(""), of(developer)
}

func eventually(t *testing.T, what string, ask func(context.Context) (answer string, wanted bool)) {
	t.Helper()
	must(t, wait(t.Context(), what, ask))
}

func wait(ctx context.Context, what string, ask func(context.Context) (answer string, wanted bool)) error {
	return await.Answer(ctx, what, 50*time.Millisecond, patience, ask)
}
