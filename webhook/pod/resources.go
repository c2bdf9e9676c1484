package pod

import "github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"

// NeedsResources tells whether an injected container needs resources, so that the pod's QoS class stays as it is.
//
//	pod                                    QoS class                 the injected container
//	no container has CPU or memory         BestEffort                needs none: the pod would become Burstable
//	some do                                Burstable or Guaranteed   needs requests = limits: the pod would not stay Guaranteed
//	spec.resources                         by spec.resources alone   needs none
//
// Only CPU and memory count, and only above zero.
// Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos, ComputePodQOS.
func (p *Pod) NeedsResources() bool {
	if p.HasResources {
		return false
	}
	for _, list := range [][]Container{p.Containers, p.InitContainers} {
		for _, c := range list {
			if c.HasResources && c.Name != v1alpha1.ContainerName {
				return true
			}
		}
	}
	return false
}
