package grants_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// A user with "edit" in one namespace creates pods that its quota rejects, after the webhook has granted what they
// ask for.
func TestManyNamesOfRejectedPods(t *testing.T) {
	// Each attempt at a pod counts as new grants, and the limit of new grants is not what is tested here.
	s := newSite(t, serverConfig{args: []string{"--grants-max-per-minute=1000"}})
	namespace := s.namespace(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"}}
	quota.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
	must(t, admin.Create(t.Context(), quota))
	editor := editorOf(t, namespace)
	eventually(t, "the editor's right and the quota to be in force", func(ctx context.Context) (bool, error) {
		plain := newPod(namespace, "default")
		plain.Annotations = nil
		err := editor.Create(ctx, plain, client.DryRunAll)
		return err != nil && strings.Contains(err.Error(), "exceeded quota: "+quota.Name), nil
	})

	t.Run("160 names that do not exist", func(t *testing.T) {
		for pod := range 10 {
			var names []string
			for n := range 16 {
				names = append(names, fmt.Sprintf("net.x%d", 16*pod+n))
			}
			if err := editor.Create(t.Context(), newPod(namespace, "default", names...)); err == nil ||
				!strings.Contains(err.Error(), "UnknownSysctl: ") {
				t.Errorf("the pod is not rejected for its names: %v", err)
			}
		}
		wantGrants(t, namespace, 0, 0)
	})
	t.Run("160 names that exist", func(t *testing.T) {
		names, answers := knownNames(t, 160), map[string]int{}
		for pod := range 10 {
			_, err := attempt(t.Context(), editor, newPod(namespace, "default", names[16*pod:16*pod+16]...))
			answers[kindOfAnswer(err, "quota", "TooManySysctls: ")]++
		}
		if answers["quota"] != 4 || answers["TooManySysctls: "] != 6 {
			t.Errorf("the answers are %v, want 4 by the quota and 6 by the limit", answers)
		}
		wantGrants(t, namespace, 64, 64)
	})
	t.Run("the message says what to do", func(t *testing.T) {
		rejects(t, newPod(namespace, "default", "kernel.sem = 250 32000 100 128"),
			fmt.Sprintf(`TooManySysctls: namespace %q has grants for 64 different sysctls, and the pod needs 1 more, `+
				`but the limit is 64; `+
				`delete pods that set others (their grants are removed after a grace period), or ask an `+
				`administrator to raise --grants-max-sysctls`, namespace))
	})
	t.Run("another namespace is not affected", func(t *testing.T) {
		create(t, newPod(s.namespace(t), "default", "kernel.sem = 250 32000 100 128"))
	})
}

// A client that reaches the port sends reviews of pods under 200 service accounts that do not exist, with 16 sysctls
// each: 3,200 grants.
func TestForgedServiceAccounts(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	s.awaitCached(t, namespace)
	names := knownNames(t, 16)
	log := newAudit(t)
	const reviews, clients = 200, 16
	var mu sync.Mutex
	answers := map[string]int{}
	var group sync.WaitGroup
	began := time.Now()
	for c := range clients {
		group.Go(func() {
			for n := c; n < reviews; n += clients {
				account := fmt.Sprintf("nobody-%d", n)
				message := s.review(t, newPod(namespace, account, names...)).Result.Message
				reason, text, _ := strings.Cut(message, ": ")
				want := fmt.Sprintf("namespace %q has no service account %q, so nothing is granted to it; create the "+
					"service account first", namespace, account)
				if reason == "NoServiceAccount" && text != want {
					t.Errorf("the answer is %q, want %q", text, want)
				}
				mu.Lock()
				answers[reason]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("answers: %v", answers)
	// Each such review counts as one new grant. The shipped limit is 120 at once, and two more each second.
	limit := 120 + int(2*time.Since(began).Seconds())
	if read := answers["NoServiceAccount"]; read == 0 || read > limit || read+answers["TooManyGrants"] != reviews {
		t.Errorf("the answers are %v, want TooManyGrants but for at most %d with NoServiceAccount", answers, limit)
	}
	wantGrants(t, namespace, 0, 0)
	// The namespace's limit is reached before the API server is asked.
	want := map[string]int{"get serviceaccounts: 404": answers["NoServiceAccount"]}
	got := summary(log.calls(t, installation.Name))
	// The controller lists in the new namespace now and then, whatever reviews are sent.
	maps.DeleteFunc(got, func(call string, _ int) bool { return strings.HasPrefix(call, "list ") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls that %d reviews lead to (-want +got):\n%s", reviews, diff)
	}
}

// editorOf returns the client of a user with the ClusterRole "edit" in a namespace, and no other right.
func editorOf(t *testing.T, namespace string) client.Client {
	t.Helper()
	const user = "mallory"
	must(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "editor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}))
	editor, err := client.New(clustertest.ConfigOf(suite.Cluster(t), user), client.Options{Scheme: admin.Scheme()})
	must(t, err)
	return editor
}

// knownNames returns names that the catalogue knows.
func knownNames(t *testing.T, count int) []string {
	t.Helper()
	var names []string
	for _, key := range strings.Fields(`accept_local accept_redirects accept_source_route arp_accept arp_announce
		arp_filter arp_ignore arp_notify bootp_relay disable_policy disable_xfrm drop_gratuitous_arp force_igmp_version
		forwarding log_martians medium_id promote_secondaries proxy_arp proxy_arp_pvlan rp_filter`) {
		for _, device := range strings.Fields("all default lo eth0 eth1 net1 net2 net3") {
			name := "net.ipv4.conf." + device + "." + key
			if !sysctl.IsKnown(name) {
				t.Fatalf("%s is not known", name)
			}
			names = append(names, name+" = 1")
		}
	}
	return names[:count]
}

// wantGrants counts the ClusterRoles of all the cluster and the bindings of a namespace.
func wantGrants(t *testing.T, namespace string, roles, bindings int) {
	t.Helper()
	foundRoles, foundBindings := &rbacv1.ClusterRoleList{}, &rbacv1.RoleBindingList{}
	must(t, admin.List(t.Context(), foundRoles, client.MatchingLabels(ours)))
	must(t, admin.List(t.Context(), foundBindings, client.InNamespace(namespace), client.MatchingLabels(ours)))
	t.Logf("%d ClusterRoles, %d RoleBindings", len(foundRoles.Items), len(foundBindings.Items))
	if len(foundRoles.Items) != roles || len(foundBindings.Items) != bindings {
		t.Errorf("there are %d ClusterRoles and %d RoleBindings, want %d and %d", len(foundRoles.Items),
			len(foundBindings.Items), roles, bindings)
	}
}

// kindOfAnswer returns the first text that the error contains. If it contains none, it returns the whole error.
func kindOfAnswer(err error, texts ...string) string {
	for _, text := range texts {
		if err != nil && strings.Contains(err.Error(), text) {
			return text
		}
	}
	return fmt.Sprint(err)
}
