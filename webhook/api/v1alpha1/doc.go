// Package v1alpha1 has the types of the API group sysctl-injector.dev, and the keys of the project's annotations and
// labels.
// +kubebuilder:object:generate=true
// +groupName=sysctl-injector.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 object crd paths=. output:crd:dir=../../../templates/crds

// GroupVersion is the group and version of this package's objects.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// AddToScheme registers this package's objects with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &SysctlPolicy{}, &SysctlPolicyList{}, &SysctlProfile{}, &SysctlProfileList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
