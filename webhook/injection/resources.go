package injection

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// statesResources tells whether the injected container has to state resources, for the pod's QoS class to stay as it is.
//
//	pod                                    QoS class                 the injected container
//	no container states CPU or memory      BestEffort                states none, or it would be Burstable
//	some do                                Burstable or Guaranteed   states requests = limits, or it would end Guaranteed
//	spec.resources                         by spec.resources alone   states none
//
// Only CPU and memory count, and only above zero.
// Source: k8s.io/kubernetes pkg/apis/core/v1/helper/qos, ComputePodQOS.
func (p *Pod) statesResources() bool {
	if p.hasPodResources {
		return false
	}
	for _, list := range [][]container{p.containers, p.initContainers} {
		for _, c := range list {
			if c.statesResources && c.name != v1alpha1.ContainerName {
				return true
			}
		}
	}
	return false
}

var readContainer = scan.Object(scan.Fields[container]{
	"name":         scan.Text(func(c *container) *string { return &c.name }),
	"volumeMounts": readTokenMount,
	"resources": scan.Object(scan.Fields[container]{
		"requests": readQuantities,
		"limits":   readQuantities,
	}),
})

var readQuantities = scan.Object(scan.Fields[container]{"cpu": readQuantity, "memory": readQuantity})

// readQuantity tells whether a quantity is above zero. One that cannot be read counts too: the API server will refuse it.
func readQuantity(into *container, c *scan.Cursor) {
	text := strings.Trim(c.Raw(), `"`) // a number is one too, in a manifest
	quantity, err := resource.ParseQuantity(text)
	into.statesResources = into.statesResources || err != nil || quantity.Sign() > 0
}

// readContainers reads a list of containers. Of one that bears the reserved name it keeps the whole.
func readContainers(list *[]container, c *scan.Cursor) {
	c.Each(func() {
		*list = append(*list, container{})
		read := &(*list)[len(*list)-1]
		start := c.Mark()
		readContainer(read, c)
		if read.name == v1alpha1.ContainerName {
			read.raw = c.Since(start)
		}
	})
}
