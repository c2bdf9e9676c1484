package grants_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// right is one thing that the server's role lets it do.
type right struct{ group, resource, verb string }

func (r right) String() string { return r.verb + " " + r.resource }

// denied returns the API server's message to the reduced server that lacks the right.
func (r right) denied() string {
	return fmt.Sprintf("User %q cannot %s resource %q in API group %q", user(reduced), r.verb, r.resource, r.group)
}

// reduced is the name of a service account, and of its ClusterRole.
const reduced = "reduced"

// rights lists what the role that is shipped lets the server do, in order.
func rights(t *testing.T) []right {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	must(t, templates.Decode(templates.Install, "install/clusterrole.yaml", role))
	all := map[right]bool{}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all[right{group, resource, verb}] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b right) int { return strings.Compare(a.String(), b.String()) })
}

// setRights gives the reduced role all that is shipped but one right, and waits until the API server's authorizer
// knows.
func setRights(t *testing.T, missing right) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: reduced}}
	for _, r := range rights(t) {
		if r != missing {
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{r.group},
				Resources: []string{r.resource}, Verbs: []string{r.verb}})
		}
	}
	must(t, admin.Update(t.Context(), role))
	for _, r := range rights(t) {
		resource, subresource, _ := strings.Cut(r.resource, "/")
		eventually(t, "the authorizer to know of the role", func(ctx context.Context) (bool, error) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user(reduced),
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: r.verb, Group: r.group,
					Resource: resource, Subresource: subresource},
			}}
			err := admin.Create(ctx, review)
			return review.Status.Allowed == (r != missing), err
		})
	}
}

// sysctl returns a name that no other row asks for.
func (r right) sysctl() string {
	return "net.ipv4.conf." + r.verb + "_" + r.resource + ".forwarding"
}
