package hostile_test

import (
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// The holder of the server's token gains no right but the use of sysctls.
func TestNoEscalation(t *testing.T) {
	suite.Cluster(t)
	server := as(t, installation.Name)
	const (
		account    = "system:serviceaccount:sysctl-injector-system:sysctl-injector"
		attempting = `is forbidden: user "` + account +
			`" (groups=["system:serviceaccounts" "system:serviceaccounts:sysctl-injector-system" ` +
			`"system:authenticated"]) ` +
			"is attempting to grant RBAC permissions not currently held:\n"
		clusterRole = `clusterroles.rbac.authorization.k8s.io "escalation" `
	)
	meta := metav1.ObjectMeta{Name: "escalation", Labels: ours}
	here := metav1.ObjectMeta{Name: "escalation", Namespace: "default", Labels: ours}
	ref := func(role string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	}
	rule := func(group, resource, verb string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}}
	}
	cannot := func(verb, resource, group, where string) string {
		return fmt.Sprintf("is forbidden: User %q cannot %s resource %q in API group %q %s", account, verb, resource,
			group, where)
	}
	for _, test := range []struct {
		name   string
		object client.Object
		want   string
	}{
		{"a RoleBinding to cluster-admin", &rbacv1.RoleBinding{ObjectMeta: here, RoleRef: ref("cluster-admin")},
			`rolebindings.rbac.authorization.k8s.io "escalation" ` + attempting +
				`{APIGroups:["*"], Resources:["*"], Verbs:["*"]}` + "\n" + `{NonResourceURLs:["*"], Verbs:["*"]}`},
		{"a RoleBinding to edit", &rbacv1.RoleBinding{ObjectMeta: here, RoleRef: ref("edit")}, ""},
		{"a ClusterRole with secrets", &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rule("", "secrets", "get")},
			clusterRole + attempting + `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`},
		{"a ClusterRole with every verb on sysctls", &rbacv1.ClusterRole{ObjectMeta: meta,
			Rules: rule(v1alpha1.GroupName, "sysctls", "*")},
			clusterRole + attempting + `{APIGroups:["sysctl-injector.dev"], Resources:["sysctls"], Verbs:["*"]}`},
		{"a ClusterRole that aggregates others", &rbacv1.ClusterRole{ObjectMeta: meta,
			AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}},
			clusterRole + `is forbidden: must have cluster-admin privileges to use the aggregationRule`},
		{"a ClusterRoleBinding", &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref("view")},
			"clusterrolebindings.rbac.authorization.k8s.io " + cannot("create", "clusterrolebindings", rbacv1.GroupName,
				"at the cluster scope")},
		{"a Role", &rbacv1.Role{ObjectMeta: here, Rules: rule("", "secrets", "get")},
			"roles.rbac.authorization.k8s.io " +
				cannot("create", "roles", rbacv1.GroupName, `in the namespace "default"`)},
		{"a pod", &corev1.Pod{ObjectMeta: here}, "pods " + cannot("create", "pods", "", `in the namespace "default"`)},
		{"a policy", &v1alpha1.SysctlPolicy{ObjectMeta: meta}, "sysctlpolicies.sysctl-injector.dev " +
			cannot("create", "sysctlpolicies", v1alpha1.GroupName, "at the cluster scope")},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := server.Create(t.Context(), test.object, client.DryRunAll)
			switch {
			case err == nil:
				t.Error("the API server lets it")
			case test.want == "":
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), attempting) {
					t.Errorf("the API server says %v", err)
				}
			case err.Error() != test.want:
				t.Errorf("the API server says\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// as is a client of a service account of the system namespace.
func as(t *testing.T, account string) client.Client {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	must(t, admin.SubResource("token").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
			Name: account}}, request))
	administrator := suite.Cluster(t).RESTConfig()
	config := rest.AnonymousClientConfig(administrator)
	config.BearerToken, config.Dial, config.Proxy, config.QPS = request.Status.Token, administrator.Dial,
		administrator.Proxy, -1
	c, err := client.New(config, client.Options{Scheme: admin.Scheme()})
	must(t, err)
	return c
}
