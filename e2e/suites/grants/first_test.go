package grants_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// mayUse asks the API server's authorizer.
func mayUse(t *testing.T, namespace, serviceAccount, sysctl string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + namespace + ":" + serviceAccount,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "use",
			Group: v1alpha1.GroupName, Resource: "sysctls", Name: sysctl},
	}}
	must(t, admin.Create(t.Context(), review))
	return review.Status.Allowed
}

// The grants exist and are in force when the first pod is admitted. Later pods cost no call. This also holds for a
// server that has just started and finds the grants in its cache.
func TestFirstPod(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t, "web")
	s.awaitCached(t, namespace)
	before := newAudit(t)
	pod := newPod(namespace, "web", "net.core.somaxconn", "kernel.shmmax")
	attempts := createCounting(t, pod)

	for _, sysctl := range []string{"net.core.somaxconn", "kernel.shmmax"} {
		if !mayUse(t, namespace, "web", sysctl) {
			t.Errorf("the pod is admitted before its service account may use %s", sysctl)
		}
		wantRole := []rbacv1.PolicyRule{{APIGroups: []string{"sysctl-injector.dev"}, Resources: []string{"sysctls"},
			ResourceNames: []string{sysctl}, Verbs: []string{"use"}}}
		foundRole, found := role(sysctl), binding(namespace, "web", sysctl)
		must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(foundRole), foundRole))
		must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(found), found))
		if diff := cmp.Diff(wantRole, foundRole.Rules); diff != "" {
			t.Errorf("ClusterRole %q (-want +got):\n%s", foundRole.Name, diff)
		}
		wantRef := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: foundRole.Name}
		wantSubjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "web"}}
		if diff := cmp.Diff(wantRef, found.RoleRef) + cmp.Diff(wantSubjects, found.Subjects); diff != "" {
			t.Errorf("RoleBinding %q (-want +got):\n%s", found.Name, diff)
		}
		for _, object := range []client.Object{foundRole, found} {
			if diff := cmp.Diff(map[string]string{"app.kubernetes.io/managed-by": "sysctl-injector"},
				object.GetLabels()); diff != "" {
				t.Errorf("labels of %q (-want +got):\n%s", object.GetName(), diff)
			}
			if owners := object.GetManagedFields(); len(owners) != 1 || owners[0].Manager != "sysctl-injector" ||
				owners[0].Operation != "Apply" {
				t.Errorf("%q is owned by %v, want one owner by Apply", object.GetName(), owners)
			}
		}
	}
	if mayUse(t, namespace, "default", "net.core.somaxconn") || mayUse(t, namespace, "web", "net.ipv4.tcp_rmem") {
		t.Error("more is granted than the pod asks for")
	}
	// The controller may reconcile the new objects, and has nothing to do.
	if got, want := created(before.writes(t, installation.Name), attempts > 1), map[string]int{
		"patch clusterroles: 201": 2, "patch rolebindings: 201": 2}; !cmp.Equal(got, want) {
		t.Errorf("the first pod costs %v, want %v", got, want)
	}

	after := newAudit(t)
	create(t, newPod(namespace, "web", "net.core.somaxconn", "kernel.shmmax"))
	if calls := after.admissions(t, installation.Name); len(calls) > 0 {
		t.Errorf("the second pod costs calls: %v", calls)
	}

	s.restart(t)
	awaitAge(t, role("kernel.shmmax"), binding(namespace, "web", "kernel.shmmax"))
	restarted := newAudit(t)
	create(t, newPod(namespace, "web", "net.core.somaxconn", "kernel.shmmax"))
	if calls := restarted.admissions(t, installation.Name); len(calls) > 0 {
		t.Errorf("the third pod, after a restart, costs calls: %v", calls)
	}
	remove(t, pod)
}

// summary counts calls by verb, kind and status code.
func summary(calls []call) map[string]int {
	counts := map[string]int{}
	for _, c := range calls {
		counts[fmt.Sprintf("%s %s: %d", c.Verb, c.ObjectRef.Resource, c.ResponseStatus.Code)]++
	}
	return counts
}

// created is summary for the writes that grant something new. If a pod needed several attempts, or the API server gave
// up on a call, each object counts once: a later write does not know of the objects that a former one created too late.
func created(calls []call, severalAttempts bool) map[string]int {
	gaveUp := func(c call) bool { return c.ResponseStatus.Code == http.StatusGatewayTimeout }
	if !severalAttempts && !slices.ContainsFunc(calls, gaveUp) {
		return summary(calls)
	}
	var first []call
	for _, c := range calls {
		if !slices.ContainsFunc(first, func(f call) bool { return f.Verb == c.Verb && f.ObjectRef == c.ObjectRef }) {
			c.ResponseStatus.Code = http.StatusCreated
			first = append(first, c)
		}
	}
	return summary(first)
}

// succeeded leaves out the calls that changed nothing, because the server's cache was behind or the server ended
// meanwhile.
func succeeded(calls []call) []call {
	return slices.DeleteFunc(calls, func(c call) bool { return c.ResponseStatus.Code >= 300 })
}

// A hundred pods are created at once, and none of their grants exists yet.
func TestConcurrentFirstPods(t *testing.T) {
	const pods = 100
	// Each attempt at a pod counts as new grants until the first one has succeeded.
	s := newSite(t, serverConfig{args: []string{"--grants-max-per-minute=1000"}})
	namespace := s.namespace(t)
	for _, test := range []struct {
		name     string
		accounts int
		want     map[string]int // the writes; the second time, the roles exist
	}{
		{"three service accounts", 3, map[string]int{"patch clusterroles: 201": 2, "patch rolebindings: 201": 6}},
		{"thirty service accounts", 30, map[string]int{"patch rolebindings: 201": 60}},
	} {
		t.Run(test.name, func(t *testing.T) {
			prefix := strings.ReplaceAll(test.name, " ", "-")
			var group errgroup.Group
			for n := range test.accounts {
				account := &corev1.ServiceAccount{}
				account.Namespace, account.Name = namespace, fmt.Sprintf("%s-%d", prefix, n)
				group.Go(func() error { return admin.Create(t.Context(), account) })
			}
			must(t, group.Wait())
			log := newAudit(t)
			var severalAttempts atomic.Bool
			for n := range pods {
				group.Go(func() error {
					pod := newPod(namespace, fmt.Sprintf("%s-%d", prefix, n%test.accounts), "net.core.somaxconn",
						"net.ipv4.tcp_rmem = 4096 87380 6291456")
					attempts, err := attempt(t.Context(), admin, pod)
					if attempts > 1 {
						severalAttempts.Store(true)
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Errorf("a pod is rejected: %v", err)
			}
			got := created(log.writes(t, installation.Name), severalAttempts.Load())
			// A service account's first pod applies a role that it did not find, also if another account's pod has
			// made it meanwhile.
			const made, again = "patch clusterroles: 201", "patch clusterroles: 200"
			if got[again] > test.want[made]*(test.accounts-1) {
				t.Errorf("%d service accounts have roles applied %d times again", test.accounts, got[again])
			}
			delete(got, again)
			if !cmp.Equal(got, test.want) {
				t.Errorf("%d pods have %v written, want %v", pods, got, test.want)
			}
		})
	}
}

// awaitAge waits until objects are old enough to count as settled: ten seconds, and one more because the API's times
// are whole seconds.
func awaitAge(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(object), object))
		eventually(t, object.GetName()+" to have settled", func(context.Context) (bool, error) {
			return time.Since(object.GetCreationTimestamp().Time) > 11*time.Second, nil
		})
	}
}

// A dry run writes nothing.
func TestDryRun(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	s.awaitCached(t, namespace)
	log := newAudit(t)
	pod := newPod(namespace, "default", "net.ipv4.tcp_fin_timeout")
	must(t, admin.Create(t.Context(), pod, client.DryRunAll))
	if len(pod.Spec.InitContainers) != 1 {
		t.Errorf("a dry run shows init containers %v", pod.Spec.InitContainers)
	}
	if calls := log.admissions(t, installation.Name); len(calls) > 0 {
		t.Errorf("a dry run costs calls: %v", calls)
	}
}
