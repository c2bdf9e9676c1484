package convert

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// changeOfClass warns if removing the containers changes the pod's QoS class. The container that the webhook adds does
// not affect the class.
func (r *Result) changeOfClass() []string {
	removed := r.removed()
	if len(removed) == 0 || r.template.Spec.Resources != nil {
		return nil
	}
	all := slices.Concat(r.template.Spec.InitContainers, r.template.Spec.Containers)
	before := classOf(all)
	after := classOf(slices.DeleteFunc(all, func(c corev1.Container) bool { return slices.Contains(removed, c.Name) }))
	if before == after {
		return nil
	}
	return []string{fmt.Sprintf("the resources of the removed container made the pod's QoS class %s; "+
		"without it, the class is %s", before, after)}
}

// classOf returns the QoS class of a pod with these containers (k8s.io/kubernetes pkg/apis/core/v1/helper/qos).
func classOf(containers []corev1.Container) corev1.PodQOSClass {
	isGuaranteed, hasAny := true, false
	for _, c := range containers {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit, limits := c.Resources.Limits[name]
			request, requests := c.Resources.Requests[name]
			limits, requests = limits && !limit.IsZero(), requests && !request.IsZero()
			hasAny = hasAny || limits || requests
			isGuaranteed = isGuaranteed && limits && (!requests || request.Cmp(limit) == 0)
		}
	}
	switch {
	case !hasAny:
		return corev1.PodQOSBestEffort
	case isGuaranteed:
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}
