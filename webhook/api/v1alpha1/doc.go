// Package v1alpha1 holds the objects of the API group sysctl-injector.dev, and the annotation and label keys of the
// project.
// +kubebuilder:object:generate=true
// +groupName=sysctl-injector.dev
package v1alpha1

import "k8s.io/apimachinery/pkg/runtime/schema"

//go:generate go run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0 object paths=.

// GroupVersion is the group and version of this package's objects.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
