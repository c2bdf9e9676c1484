package chart_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const requireGrants = "grants: {mode: require}"

// In require mode the server's role lets it neither read nor write grants, and holds no right that it could grant.
func TestRequireModeHasNoRightsOnGrants(t *testing.T) {
	var role rbacv1.ClusterRole
	convert(t, find(t, decode(t, render(t, namespace, requireGrants)), "ClusterRole", release), &role)
	verbs := map[string]bool{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				verbs[verb+" "+resource] = true
			}
		}
	}
	for _, gone := range []string{"create clusterroles", "list rolebindings", "list clusterrolebindings", "list pods",
		"use sysctls"} {
		if verbs[gone] {
			t.Errorf("it may still %s", gone)
		}
	}
	for _, kept := range []string{"get namespaces", "list sysctlpolicies", "create subjectaccessreviews"} {
		if !verbs[kept] {
			t.Errorf("it may not %s, of %v", kept, slices.Sorted(maps.Keys(verbs)))
		}
	}
}

// The remaining rights are enough: the server starts and decides, and no request of it is denied.
func TestRequireModeWorksWithFewerRights(t *testing.T) {
	c := suite.Cluster(t)
	installed, err := installation.Install(t.Context(), c, installation.Config{Args: []string{"--grants=require"}})
	must(t, err)
	t.Cleanup(func() {
		if err := installed.Remove(); err != nil {
			t.Error(err)
		}
	})
	role := find(t, decode(t, render(t, namespace, requireGrants)), "ClusterRole", release)
	must(t, admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(role), client.FieldOwner("test"),
		client.ForceOwnership))
	err = await.Condition(t.Context(), "the authorizer to know", 20*time.Millisecond, 30*time.Second,
		func(ctx context.Context) (bool, error) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: installation.User,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Group: rbacv1.GroupName,
					Resource: "clusterroles",
					Verb:     "create"},
			}}
			err := admin.Create(ctx, review)
			return !review.Status.Allowed, err
		})
	must(t, err)
	must(t, installed.Restart(t.Context()))
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop",
			Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}},
	} {
		must(t, admin.Create(t.Context(), object))
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 4096"}},
		Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
	}
	if err := admin.Create(t.Context(), pod); err == nil || !strings.Contains(err.Error(),
		`NotGranted: service account "web" in namespace "shop"`) {
		t.Errorf("a pod without grants: %v", err)
	}
	if log := installed.Server().Log(); strings.Contains(log, "cannot ") {
		t.Errorf("the server is denied something:\n%s", log)
	}
}
