package injection

import (
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// statesResources tells whether the injected container has to state resources, for the pod's QoS class to stay as it is.
//
//	pod                                                       QoS class                    the injected container
//	no container states CPU or memory                         BestEffort                   states none, or it would be Burstable
//	some do                                                   Burstable or Guaranteed      states requests = limits, or it would end Guaranteed
//	spec.resources                                            by spec.resources alone      states none
//
// Only CPU and memory count, and only above zero.
// Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos, ComputePodQOS.
func (p *Pod) statesResources() bool {
	if p.hasPodResources {
		return false
	}
	return anyStatesResources(p.containers) || anyStatesResources(p.initContainers)
}

func anyStatesResources(containers gjson.Result) bool {
	found := false
	containers.ForEach(func(_, container gjson.Result) bool {
		if container.Get("name").Str == v1alpha1.ContainerName {
			return true
		}
		resources := container.Get("resources")
		for _, list := range []string{"requests", "limits"} {
			quantities := resources.Get(list)
			found = found || positive(quantities.Get("cpu")) || positive(quantities.Get("memory"))
		}
		return !found
	})
	return found
}

// positive tells whether a quantity is above zero. One that cannot be read counts too: the API server will refuse it.
func positive(quantity gjson.Result) bool {
	if !quantity.Exists() || quantity.Type == gjson.Null {
		return false
	}
	q, err := resource.ParseQuantity(quantity.String())
	return err != nil || q.Sign() > 0
}
