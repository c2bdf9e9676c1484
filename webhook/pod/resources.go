package pod

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Smallest returns the smallest request and limit above zero of a resource among the pod's own containers; nil if no
// container states one. A container that states only a limit requests as much, as the API server has it.
func (p *Pod) Smallest(name corev1.ResourceName) (request, limit *resource.Quantity) {
	for _, list := range [][]Container{p.Containers, p.InitContainers} {
		for i := range list {
			c := &list[i]
			if c.Name == v1alpha1.ContainerName {
				continue
			}
			requests := c.Requests
			if _, stated := requests[name]; !stated {
				requests = c.Limits
			}
			request, limit = smaller(request, requests, name), smaller(limit, c.Limits, name)
		}
	}
	return request, limit
}

func smaller(smallest *resource.Quantity, list corev1.ResourceList, name corev1.ResourceName) *resource.Quantity {
	quantity, stated := list[name]
	if !stated || quantity.Sign() <= 0 || smallest != nil && smallest.Cmp(quantity) <= 0 {
		return smallest
	}
	return &quantity
}
