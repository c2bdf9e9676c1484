package grants

import (
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// access is the verb "use" on a named resource, for a service account in its namespace.
type access struct {
	namespace, serviceAccount string
	group, resource, name     string
}

// accesses returns the accesses that the ClusterRoles among objects give.
func accesses(need Need, objects []client.Object) []access {
	var all []access
	for _, object := range objects {
		if role, ok := object.(*rbacv1.ClusterRole); ok {
			rule := role.Rules[0]
			all = append(all, access{need.Namespace, need.ServiceAccount, rule.APIGroups[0], rule.Resources[0],
				rule.ResourceNames[0]})
		}
	}
	return all
}

// MayUse asks the API server's authorizer whether a service account may use a sysctl.
func MayUse(ctx context.Context, writer client.Writer, namespace, serviceAccount, sysctl string) (bool, error) {
	return access{namespace, serviceAccount, v1alpha1.GroupName, "sysctls", sysctl}.ask(ctx, writer)
}

// ask asks the API server's authorizer.
func (a access) ask(ctx context.Context, writer client.Writer) (bool, error) {
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + a.namespace, "system:authenticated"}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + a.namespace + ":" + a.serviceAccount, Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: a.namespace, Verb: "use", Group: a.group, Resource: a.resource, Name: a.name,
		},
	}}
	err := writer.Create(ctx, review)
	return review.Status.Allowed, err
}

// allowed is ask with an error that names the access.
func (a access) allowed(ctx context.Context, writer client.Writer) (bool, error) {
	allowed, err := a.ask(ctx, writer)
	if err != nil {
		return false, fmt.Errorf("ask whether %s: %w", a, err)
	}
	return allowed, nil
}

// wait asks until the answer is yes or ctx ends. The authorizer learns of a new binding by a watch, within
// milliseconds.
func (a access) wait(ctx context.Context, writer client.Writer) error {
	const longest = 200 * time.Millisecond
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, longest) {
		allowed, err := a.allowed(ctx, writer)
		if allowed || err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("the grant exists, but the API server's authorizer does not know of it yet "+
				"(whether %s): %w", a, ctx.Err())
		}
	}
}

func (a access) String() string {
	return fmt.Sprintf("service account %q in namespace %q may use %s %q", a.serviceAccount, a.namespace,
		strings.TrimSuffix(a.resource+"."+a.group, "."), a.name)
}
