package cluster_test

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

const patience = 20 * time.Second

var (
	suite clustertest.Suite

	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(ownerVariable); kind != "" {
		ownCluster(kind)
		return
	}
	os.Exit(suite.Run(m))
}

func clientset(t *testing.T, c *cluster.Cluster) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	must(t, err)
	return client
}

func TestServesTheReleaseItWasBuiltFrom(t *testing.T) {
	c := suite.Cluster(t)
	versions, err := tools.KubernetesVersions()
	must(t, err)
	want := cmp.Or(os.Getenv(cluster.VersionVariable), versions[len(versions)-1])
	got, err := clientset(t, c).Discovery().ServerVersion()
	must(t, err)
	if got.GitVersion != c.Version() || got.Major+"."+got.Minor != want {
		t.Errorf("/version says %s (%s.%s), want %s (%s)", got.GitVersion, got.Major, got.Minor, c.Version(), want)
	}
	if !strings.HasPrefix(c.Version(), "v"+want+".") {
		t.Errorf("Version() = %s, want a release of %s", c.Version(), want)
	}
}

func TestServesAdmissionPolicies(t *testing.T) {
	resources, err := clientset(t, suite.Cluster(t)).Discovery().
		ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	must(t, err)
	served := map[string]bool{}
	for _, resource := range resources.APIResources {
		served[resource.Name] = true
	}
	for _, name := range []string{"validatingadmissionpolicies", "mutatingadmissionpolicies"} {
		if !served[name] {
			t.Errorf("%s is not served", name)
		}
	}
}

func TestControllersTurnADeploymentIntoAPod(t *testing.T) {
	client := clientset(t, suite.Cluster(t))
	namespace := clustertest.Namespace(t, client, metav1.ObjectMeta{})
	labels := map[string]string{"app": "idle"}
	_, err := client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "idle"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "idle", Image: "idle"}}},
			},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	var pods *corev1.PodList
	eventually(t, "the Deployment's pod, seen by the scheduler", func(ctx context.Context) (bool, error) {
		pods, err = client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=idle"})
		return err == nil && len(pods.Items) == 1 && len(pods.Items[0].Status.Conditions) > 0, err
	})
	pod := pods.Items[0]
	if owner := metav1.GetControllerOf(&pod); owner == nil || owner.Kind != "ReplicaSet" {
		t.Errorf("the pod's controller is %v, want a ReplicaSet", owner)
	}
	if pod.Status.Phase != corev1.PodPending || pod.Status.Conditions[0].Reason != corev1.PodReasonUnschedulable {
		t.Errorf("the pod is %s (%v), want Pending and Unschedulable: there is no node", pod.Status.Phase,
			pod.Status.Conditions)
	}
	if len(pod.Spec.Volumes) != 1 || pod.Spec.Volumes[0].Projected == nil {
		t.Errorf("the pod's volumes are %v, want the service account token the API server mounts", pod.Spec.Volumes)
	}
}

func TestCommandRunsTheClustersKubectl(t *testing.T) {
	c := suite.Cluster(t)
	output, err := c.Command(t.Context(), "kubectl", "auth", "whoami", "-o",
		"jsonpath={.status.userInfo.username}").CombinedOutput()
	if err != nil || string(output) != "admin" {
		t.Errorf("kubectl auth whoami: %v: %s, want admin", err, output)
	}
}

func TestAuditLogNamesTheCall(t *testing.T) {
	c := suite.Cluster(t)
	client := clientset(t, c)
	namespace := clustertest.Namespace(t, client, metav1.ObjectMeta{})
	_, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "audited"}}, metav1.CreateOptions{})
	must(t, err)
	// The line is written once the answer has been sent.
	eventually(t, "the creation of the ConfigMap in the audit log", func(context.Context) (bool, error) {
		log, err := os.ReadFile(c.AuditLogPath())
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(log)) {
			var event struct {
				Verb      string
				ObjectRef struct{ Namespace, Name string }
				User      struct{ Username string }
			}
			// The last line may be half-written.
			if json.Unmarshal([]byte(line), &event) == nil && event.Verb == "create" &&
				event.User.Username == "admin" &&
				event.ObjectRef.Namespace == namespace && event.ObjectRef.Name == "audited" {
				return true, nil
			}
		}
		return false, nil
	})
}

func TestTwoClustersDoNotClash(t *testing.T) {
	first := suite.Cluster(t)
	for name, config := range map[string]cluster.Config{"a namespace": {}, "the loopback": {Loopback: true}} {
		t.Run("beside one in "+name, func(t *testing.T) {
			second := clustertest.Start(t, config)
			namespace := clustertest.Namespace(t, clientset(t, second), metav1.ObjectMeta{})
			_, err := clientset(t, first).CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
			if err == nil {
				t.Errorf("a namespace made in the second cluster is in the first: they are one")
			}
		})
	}
}

func TestKeepsLogsInAGivenDirectory(t *testing.T) {
	dir := t.TempDir()
	c := clustertest.Start(t, cluster.Config{Dir: dir})
	must(t, c.Stop())
	for _, name := range []string{"etcd.log", "kube-apiserver.log", "kube-controller-manager.log",
		"kube-scheduler.log"} {
		if _, err := os.Stat(filepath.Join(dir, "logs", name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"pki", "kubeconfig"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there after Stop: %v", name, err)
		}
	}
}
