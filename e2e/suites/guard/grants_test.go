package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// waitForGrants waits until the authorizer says of all names that they are, or are not, granted.
func waitForGrants(t testing.TB, namespace, serviceAccount string, names []string, want bool) {
	t.Helper()
	reviews := clientset(t).AuthorizationV1().SubjectAccessReviews()
	eventually(t, "the authorizer to know of the grants", func(ctx context.Context) (bool, error) {
		for _, name := range names {
			review, err := reviews.Create(ctx,
				&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
					User:   "system:serviceaccount:" + namespace + ":" + serviceAccount,
					Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Namespace: namespace, Verb: "use", Group: v1alpha1.GroupName, Resource: "sysctls", Name: name,
					},
				}}, metav1.CreateOptions{})
			if err != nil || review.Status.Allowed != want {
				return false, err
			}
		}
		return true, nil
	})
}

// createAndDelete creates a pod and deletes it. It is not a dry run, in which grants do not matter.
func createAndDelete(t *testing.T, namespace string, pod *corev1.Pod) error {
	t.Helper()
	pods := clientset(t).CoreV1().Pods(namespace)
	created, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	must(t, pods.Delete(t.Context(), created.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	return nil
}

// The webhook grants nothing in a dry run, so the guard does not ask for grants there.
func TestGuardDryRun(t *testing.T) {
	namespace := newNamespace(t, held(api.LevelBaseline))
	pod := injectedPod()
	pod.Spec.ServiceAccountName = "default"
	if got := verdict(createIn(t, namespace, pod)); got != "" {
		t.Errorf("the dry run of a first pod is rejected: %s", got)
	}
	if got := verdict(createAndDelete(t, namespace, pod)); !strings.Contains(got, "is not granted") {
		t.Errorf("the pod itself, which was granted nothing: %q", got)
	}
	pod.Spec.InitContainers[0].Image = "registry.example.com/shell:1"
	if got := verdict(createIn(t, namespace, pod)); !strings.Contains(got, "it differs in image") {
		t.Errorf("the dry run of a container that is not ours: %q", got)
	}
}

func TestGuardGrants(t *testing.T) {
	admin := clientset(t)
	here, elsewhere := newNamespace(t, held(api.LevelBaseline)), newNamespace(t, held(api.LevelBaseline))
	must(t, clustertest.MakeServiceAccounts(t.Context(), admin, here, "half", "revoked", "stranger"))
	must(t, clustertest.MakeServiceAccounts(t.Context(), admin, elsewhere, "stranger"))
	grant(t, here, "half", "net.core.somaxconn")
	grant(t, here, "revoked", "net.core.somaxconn")
	grant(t, elsewhere, "stranger", "net.core.somaxconn")
	bindings := admin.RbacV1().RoleBindings(here)
	must(t, bindings.Delete(t.Context(), "sysctl-injector:net.core.somaxconn:revoked",
		metav1.DeleteOptions{}))
	waitForGrants(t, here, "revoked", []string{"net.core.somaxconn"}, false)

	rejected := func(serviceAccount, name string, all ...string) string {
		return fmt.Sprintf(`pods "pod" is forbidden: %s denied request: %s`, theStandard,
			notGranted(here, serviceAccount, name, all...))
	}
	for _, test := range []struct {
		name           string
		serviceAccount string
		args           []string
		want           string
	}{
		{"admits what is granted", "granted", []string{"net.core.somaxconn=1", "kernel.sem=1 2 3 4"}, ""},
		{"rejects a service account that was granted nothing", "default", []string{"net.core.somaxconn=1"},
			rejected("default", "net.core.somaxconn", "net.core.somaxconn")},
		{"takes no service account for the one named default", "", []string{"net.core.somaxconn=1"},
			rejected("default", "net.core.somaxconn", "net.core.somaxconn")},
		{"rejects one name of several, and tells how to allow all", "half",
			[]string{"net.core.somaxconn=1", "kernel.sem=1 2 3 4"},
			rejected("half", "kernel.sem", "net.core.somaxconn", "kernel.sem")},
		{"rejects the first of several", "half", []string{"kernel.sem=1 2 3 4", "net.core.somaxconn=1"},
			rejected("half", "kernel.sem", "kernel.sem", "net.core.somaxconn")},
		{"rejects a name that begins like one that is granted", "half", []string{"net.core.somaxconn2=1"},
			rejected("half", "net.core.somaxconn2", "net.core.somaxconn2")},
		{"rejects a name in other letters than the one that is granted", "half", []string{"net.core.Somaxconn=1"},
			rejected("half", "net.core.Somaxconn", "net.core.Somaxconn")},
		{"rejects what another namespace's account of the same name was granted", "stranger",
			[]string{"net.core.somaxconn=1"},
			rejected("stranger", "net.core.somaxconn", "net.core.somaxconn")},
		{"rejects what is no longer granted", "revoked", []string{"net.core.somaxconn=1"},
			rejected("revoked", "net.core.somaxconn", "net.core.somaxconn")},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := plainPod()
			pod.Spec.ServiceAccountName = test.serviceAccount
			inject(pod, test.args...)
			if got := verdict(createAndDelete(t, here, pod)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestGuardChecksEveryArgument has the largest number of arguments, with the longest names. The cost stays within the
// API server's limit, and every argument is checked, also the last.
func TestGuardChecksEveryArgument(t *testing.T) {
	namespace := newNamespace(t, held(api.LevelRestricted))
	must(t, clustertest.MakeServiceAccounts(t.Context(), clientset(t), namespace, "all"))
	var names, args []string
	for n := range sysctl.MaxContained {
		name := fmt.Sprintf("net.a%02d.", n)
		name += strings.Repeat("x", sysctl.MaxNameLength-len(name))
		names, args = append(names, name), append(args, name+"="+strings.Repeat("1 2", sysctl.MaxValueLength/3))
	}
	const list = "net.ipv4.ip_local_reserved_ports"
	names[0], args[0] = list, list+"="+strings.Repeat("1", sysctl.MaxValueLengthOf(list))
	grant(t, namespace, "all", names...)
	pod := plainPod()
	pod.Spec.ServiceAccountName = "all"
	inject(pod, args...)
	if got := verdict(createAndDelete(t, namespace, pod)); got != "" {
		t.Fatalf("rejects %d granted sysctls: %s", len(args), got)
	}
	scripted := copyOf(pod)
	scripted.Spec.InitContainers[0].Command = script(templates.SetScript)
	for n, name := range names[1:] {
		scripted.Spec.InitContainers[0].Args[n+1] = "-" + name + ">=" + strings.Repeat("1 2", sysctl.MaxValueLength/3)
	}
	if got := verdict(createAndDelete(t, namespace, scripted)); got != "" {
		t.Errorf("rejects %d granted sysctls of a script: %s", len(args), got)
	}
	scripted.Spec.InitContainers[0].Args[1] = "-" + names[1] + "x>=1"
	if got := verdict(createAndDelete(t, namespace, scripted)); !strings.Contains(got, "it differs in args") {
		t.Errorf("a name that is too long behind a -: got %q", got)
	}
	for n := range args {
		t.Run(fmt.Sprint("number ", n+1), func(t *testing.T) {
			changed := copyOf(pod)
			changed.Spec.InitContainers[0].Args[n] = "net.not.granted=1"
			if got := verdict(createAndDelete(t, namespace, changed)); !strings.Contains(got,
				`sysctl "net.not.granted" is not granted`) {
				t.Errorf("got %q", got)
			}
		})
	}
}
