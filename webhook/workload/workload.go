// Package workload has a table of the kinds that hold pods or pod templates, and finds templates in other kinds.
package workload

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is a kind of workload.
type Kind struct {
	schema.GroupVersionKind
	// OlderGroups are API groups that had the kind before.
	OlderGroups []string
	// Path leads to the pod template within the object; it is empty for a Pod, which is its own template.
	Path []string
	// Owner is the kind that usually creates objects of this kind; "" if people create them.
	Owner string
	// NewList returns an empty list of the kind; nil if its objects create no pods by themselves.
	NewList func() List
	// PodTemplate returns the template of an object of the list; nil if the object has none.
	PodTemplate func(runtime.Object) *corev1.PodTemplateSpec
}

// List is a typed list of objects.
type List interface {
	metav1.ListInterface
	runtime.Object
}

// Kinds lists the kinds. Owners come before the kinds that they own.
var Kinds = []Kind{
	{
		GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("Deployment"), OlderGroups: []string{"extensions"},
		Path:        []string{"spec", "template"},
		NewList:     func() List { return &appsv1.DeploymentList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec { return &o.(*appsv1.Deployment).Spec.Template },
	},
	{
		GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
		Path:             []string{"spec", "template"},
		NewList:          func() List { return &appsv1.StatefulSetList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec {
			return &o.(*appsv1.StatefulSet).Spec.Template
		},
	},
	{
		GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("DaemonSet"), OlderGroups: []string{"extensions"},
		Path:        []string{"spec", "template"},
		NewList:     func() List { return &appsv1.DaemonSetList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec { return &o.(*appsv1.DaemonSet).Spec.Template },
	},
	{
		GroupVersionKind: appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), OlderGroups: []string{"extensions"},
		Path:        []string{"spec", "template"},
		Owner:       "Deployment",
		NewList:     func() List { return &appsv1.ReplicaSetList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec { return &o.(*appsv1.ReplicaSet).Spec.Template },
	},
	{
		GroupVersionKind: batchv1.SchemeGroupVersion.WithKind("CronJob"),
		Path:             []string{"spec", "jobTemplate", "spec", "template"},
		NewList:          func() List { return &batchv1.CronJobList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec {
			return &o.(*batchv1.CronJob).Spec.JobTemplate.Spec.Template
		},
	},
	{
		GroupVersionKind: batchv1.SchemeGroupVersion.WithKind("Job"), OlderGroups: []string{"extensions"},
		Path:        []string{"spec", "template"},
		Owner:       "CronJob",
		NewList:     func() List { return &batchv1.JobList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec { return &o.(*batchv1.Job).Spec.Template },
	},
	{
		GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ReplicationController"),
		Path:             []string{"spec", "template"},
		NewList:          func() List { return &corev1.ReplicationControllerList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec {
			return o.(*corev1.ReplicationController).Spec.Template
		},
	},
	{
		GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Pod"),
		NewList:          func() List { return &corev1.PodList{} },
		PodTemplate: func(o runtime.Object) *corev1.PodTemplateSpec {
			pod := o.(*corev1.Pod)
			return &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
		},
	},
	{
		GroupVersionKind: corev1.SchemeGroupVersion.WithKind("PodTemplate"),
		Path:             []string{"template"},
	},
}

// Find returns the row of a kind, in any version of its groups; nil if there is none. A kind of the same name in
// another group is a custom resource.
func Find(apiVersion, kind string) *Kind {
	group, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || apiVersion == "" {
		return nil
	}
	for i := range Kinds {
		k := &Kinds[i]
		if k.Kind == kind && (k.Group == group.Group || slices.Contains(k.OlderGroups, group.Group)) {
			return k
		}
	}
	return nil
}

// HasOwner reports whether objects of a kind usually have another workload above them. The version must be the one
// that the API server writes into owner references.
func HasOwner(apiVersion, kind string) bool {
	k := Find(apiVersion, kind)
	return k != nil && k.Owner != "" && k.GroupVersion().String() == apiVersion
}

// IsFinished reports whether an object is a Job or a pod that has ended: no pod comes from it any more.
func IsFinished(object runtime.Object) bool {
	switch o := object.(type) {
	case *batchv1.Job:
		return slices.ContainsFunc(o.Status.Conditions, func(c batchv1.JobCondition) bool {
			return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
		})
	case *corev1.Pod:
		return o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed
	}
	return false
}
