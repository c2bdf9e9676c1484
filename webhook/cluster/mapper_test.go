package cluster

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// A kind that the server may use and that the mapper forgets would be an error of the first call.
func TestMapperKnowsWhatTheServerMayUse(t *testing.T) {
	mapper, err := newMapper(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := templates.Decode(templates.Install, "install/clusterrole.yaml", role); err != nil {
		t.Fatal(err)
	}
	namespaced := []string{"jobs", "pods", "replicasets", "rolebindings", "serviceaccounts"}
	// Clients of their own write Events and read the guard. The sysctls are no objects.
	elsewhere := []string{"events", "sysctls", "validatingadmissionpolicies"}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			if slices.Contains(elsewhere, resource) || strings.Contains(resource, "/") {
				continue
			}
			kind, err := mapper.KindFor(schema.GroupVersionResource{Group: rule.APIGroups[0], Resource: resource})
			if err != nil {
				t.Error(err)
				continue
			}
			mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
			if err != nil {
				t.Error(err)
				continue
			}
			if got, want := mapping.Scope.Name() == meta.RESTScopeNameNamespace,
				slices.Contains(namespaced, resource); got != want {
				t.Errorf("%s is in a namespace: %t, want %t", resource, got, want)
			}
		}
	}
}

func TestMapperKnowsWhatAdmitsTheContainer(t *testing.T) {
	mapper, err := newMapper(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[schema.GroupVersionKind]string{
		{Group: "security.openshift.io", Version: "v1",
			Kind: "SecurityContextConstraints"}: "securitycontextconstraints",
		{Group: "policy", Version: "v1beta1", Kind: "PodSecurityPolicy"}: "podsecuritypolicies",
	} {
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := mapping.Resource.Resource; got != want || mapping.Scope.Name() != meta.RESTScopeNameRoot {
			t.Errorf("%s is at %s (%s), want %s", kind.Kind, got, mapping.Scope.Name(), want)
		}
	}
}
