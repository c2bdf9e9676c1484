package form

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// stated are the resources that decide on a pod's QoS class and that the container states, in the order of their
// names.
var stated = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// resourcesFor returns what the container states of each resource, at most what an administrator chose. The pod's QoS
// class stays as it is, and so does what the scheduler counts: it takes the greater of the init containers' requests
// and those of the others.
//
//	pod                             request               limit
//	BestEffort                      none                  none
//	Burstable                       the pod's smallest    the pod's smallest, if it has one
//	Guaranteed                      the pod's smallest    the same
//	with spec.resources             none                  none: these alone count
//
// Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos, ComputePodQOS.
func resourcesFor(p *pod.Pod, most corev1.ResourceList) corev1.ResourceRequirements {
	var own corev1.ResourceRequirements
	if p.HasResources {
		return own
	}
	for _, name := range stated {
		request, limit := p.Smallest(name)
		if limit != nil {
			set(&own.Limits, name, lesser(*limit, most[name]))
		}
		switch {
		case request != nil && limit != nil:
			set(&own.Requests, name, lesser(*request, own.Limits[name]))
		case request != nil:
			set(&own.Requests, name, lesser(*request, most[name]))
		case limit != nil:
			set(&own.Requests, name, resource.Quantity{}) // otherwise the API server would set it to the limit
		}
	}
	return own
}

func set(list *corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) {
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = quantity
}

func lesser(a, b resource.Quantity) resource.Quantity {
	if b.Cmp(a) < 0 {
		return b
	}
	return a
}

// appendResources writes what encoding/json makes of resources that resourcesFor returned.
func appendResources(text []byte, resources corev1.ResourceRequirements) []byte {
	text = append(text, '{')
	if resources.Limits != nil {
		text = append(appendList(append(text, `"limits":`...), resources.Limits), ',')
	}
	return append(appendList(append(text, `"requests":`...), resources.Requests), '}')
}

func appendList(text []byte, list corev1.ResourceList) []byte {
	separator := byte('{')
	for _, name := range stated {
		quantity, ok := list[name]
		if !ok {
			continue
		}
		text = jsontext.AppendString(append(text, separator), string(name))
		text = jsontext.AppendString(append(text, ':'), quantity.String())
		separator = ','
	}
	return append(text, '}')
}
