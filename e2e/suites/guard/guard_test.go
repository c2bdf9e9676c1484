// Package guard_test tests the guard in a real API server: its verdicts are those of Pod Security admission, and it
// admits no privileged container but the injected one.
package guard_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// The init images that the guard of this suite accepts: this release's and the previous one's.
const (
	currentImage = "docker.io/library/busybox:1.36"
	formerImage  = "docker.io/library/busybox:1.35"
)

// granted are the names that the service account "granted" may use in every namespace that newNamespace makes.
var granted = []string{
	"net.core.somaxconn", "net.ipv4.ip_local_port_range", "kernel.sem", "vm.max_map_count",
	"net.netfilter.nf_conntrack_max",
}

const patience = 30 * time.Second

var (
	suite            = clustertest.Suite{Prepare: prepare}
	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare installs the guard and RuntimeClasses.
func prepare(ctx context.Context, c *cluster.Cluster) error {
	// The guard's policy about profiles needs these kinds for its parameters.
	for _, args := range [][]string{{"apply", "-f", "../../../templates/crds"},
		{"wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"}} {
		if _, err := c.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	if err := install(ctx, c, currentImage, formerImage); err != nil {
		return err
	}
	admin, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	return makeRuntimeClasses(ctx, admin)
}

func newClient(c *cluster.Cluster) (client.Client, error) {
	return client.New(clustertest.AdminConfig(c), client.Options{Scheme: scheme.Scheme})
}

func clientset(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(clustertest.AdminConfig(suite.Cluster(t)))
	must(t, err)
	return client
}

// labels of a namespace.
type labels = map[string]string

// held are the labels of a namespace that is enrolled and held to a standard by the guard, and not by Pod Security
// admission.
func held(level api.Level) labels {
	return labels{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: string(level),
		api.EnforceLevelLabel: "privileged"}
}

// newNamespace creates a namespace until the test ends, with the service accounts "default" and "granted". It waits
// until the API server's admission acts by the labels.
func newNamespace(t testing.TB, of labels) string {
	t.Helper()
	admin := clientset(t)
	namespace := clustertest.Namespace(t, admin, metav1.ObjectMeta{GenerateName: "guard-test-", Labels: of})
	t.Cleanup(func() {
		_ = admin.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{})
	})
	settle(t, namespace)
	return namespace
}

// settle creates what pods need in a new namespace, and waits until they are judged by its labels.
func settle(t testing.TB, namespace string) {
	t.Helper()
	must(t, clustertest.MakeServiceAccounts(t.Context(), clientset(t), namespace, "default", "granted"))
	grant(t, namespace, "granted", granted...)
	waitForLabels(t, namespace)
}

// grant lets a service account use sysctls, as the companion does, and waits until the authorizer knows.
func grant(t testing.TB, namespace, serviceAccount string, names ...string) {
	t.Helper()
	admin, err := newClient(suite.Cluster(t))
	must(t, err)
	objects, err := grants.Render(grants.ValidatingAdmissionPolicy, []grants.Need{{Namespace: namespace,
		ServiceAccount: serviceAccount, Sysctls: names}})
	must(t, err)
	for _, object := range objects {
		must(t, client.IgnoreAlreadyExists(admin.Create(t.Context(), object)))
	}
	waitForGrants(t, namespace, serviceAccount, names, true)
}

// markers are requests that are rejected for different reasons. The verdicts show whether the labels of a namespace and
// each policy are in force.
var markers = []struct {
	ask      func(context.Context, *kubernetes.Clientset, string) error
	rejected func(labels) bool
}{
	{askFor(func(pod *corev1.Pod) { pod.Spec.HostPID = true }), func(of labels) bool {
		return level(of) == "baseline" ||
			level(of) == "restricted"
	}},
	{askFor(func(pod *corev1.Pod) { pod.Spec.SecurityContext.RunAsNonRoot = new(false) }),
		func(of labels) bool { return level(of) == "restricted" }},
	{askFor(func(pod *corev1.Pod) { inject(pod); under("kata", "vm.max_map_count=262144")(pod) }),
		func(of labels) bool { return level(of) == "baseline" || level(of) == "restricted" }},
	{func(ctx context.Context, admin *kubernetes.Clientset, namespace string) error {
		return admin.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("none").
			SubResource("exec").
			Param("container", "sysctl-injector").Param("command", "sh").Do(ctx).Error()
	}, func(of labels) bool {
		_, inject := of[v1alpha1.InjectLabel]
		_, enforce := of[v1alpha1.EnforceLabel]
		return (inject || enforce) && level(of) != "privileged"
	}},
}

func askFor(tweak func(*corev1.Pod)) func(context.Context, *kubernetes.Clientset, string) error {
	return func(ctx context.Context, admin *kubernetes.Clientset, namespace string) error {
		pod := plainPod()
		pod.Name, pod.GenerateName = "", "marker-"
		tweak(pod)
		_, err := admin.CoreV1().Pods(namespace).Create(ctx, pod, dryRun)
		return err
	}
}

// waitForLabels waits until the verdicts in a namespace are those of its labels. The API server learns of labels and
// policies a moment after they are written.
func waitForLabels(t testing.TB, namespace string) {
	t.Helper()
	admin := clientset(t)
	object, err := admin.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	must(t, err)
	eventually(t, fmt.Sprintf("namespace %s to be judged by its labels %v", namespace, object.Labels),
		func(ctx context.Context) (bool, error) {
			for _, marker := range markers {
				if marker.rejected(object.Labels) != apierrors.IsForbidden(marker.ask(ctx, admin, namespace)) {
					return false, nil
				}
			}
			return true, nil
		})
}

// level returns the standard of a namespace, by the guard or by Pod Security admission.
func level(of labels) string {
	if enforced, is := of[v1alpha1.EnforceLabel]; is {
		switch enforced {
		case "baseline", "privileged":
			return enforced
		}
		return "restricted"
	}
	if _, enrolled := of[v1alpha1.InjectLabel]; enrolled {
		return "baseline"
	}
	return of[api.EnforceLevelLabel]
}

var dryRun = metav1.CreateOptions{DryRun: dry}

// verdict returns the reason of a rejection, or "" if the pod is admitted.
func verdict(err error) string {
	if err == nil {
		return ""
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message
	}
	return err.Error()
}

// violations returns the part of a message that the guard and Pod Security admission have in common.
func violations(message string) string {
	_, found, _ := strings.Cut(message, "violates PodSecurity ")
	return found
}

// eachParallel calls a function for every number below count, a few at a time.
func eachParallel(count int, do func(int)) {
	var workers sync.WaitGroup
	numbers := make(chan int)
	for range 8 {
		workers.Go(func() {
			for n := range numbers {
				do(n)
			}
		})
	}
	for n := range count {
		numbers <- n
	}
	close(numbers)
	workers.Wait()
}

func copyOf[T runtime.Object](object T) T { return object.DeepCopyObject().(T) }
