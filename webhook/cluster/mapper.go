package cluster

import (
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// newMapper returns a mapper that knows the kinds which the server reads or writes, and no others.
// controller-runtime's own asks the API server for them. With it, a server that starts before the API server answers,
// or before the CRDs are installed, would exit instead of waiting for them.
func newMapper(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"),
		nodev1.SchemeGroupVersion.WithKind("RuntimeClass"),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRole"),
		rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"),
		authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"),
		policyv1beta1.SchemeGroupVersion.WithKind("PodSecurityPolicy"),
		v1alpha1.GroupVersion.WithKind("SysctlPolicy"),
		v1alpha1.GroupVersion.WithKind("SysctlProfile"),
	} {
		mapper.Add(kind, meta.RESTScopeRoot)
	}
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
		appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
		batchv1.SchemeGroupVersion.WithKind("Job"),
	} {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	// The plural of this kind equals its singular.
	openShift := schema.GroupVersion{Group: "security.openshift.io", Version: "v1"}
	constraints := openShift.WithResource("securitycontextconstraints")
	mapper.AddSpecific(openShift.WithKind("SecurityContextConstraints"), constraints, constraints, meta.RESTScopeRoot)
	return mapper, nil
}
