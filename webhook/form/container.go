package form

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// Container is a form's init container as an administrator has configured it, with one of its commands. It never
// changes.
type Container struct {
	container corev1.Container
	encoded   encoded
}

func newContainer(container corev1.Container, command *Command) *Container {
	container.Command = command.Words
	return &Container{container, encode(container)}
}

// Render returns the container for a pod, with its arguments.
func (c *Container) Render(p *pod.Pod, args []string) corev1.Container {
	container := c.container
	container.Args = args
	container.Resources = resourcesFor(p, c.container.Resources.Limits)
	if volume := p.TokenVolume(); volume != "" {
		container.VolumeMounts = []corev1.VolumeMount{{Name: volume, ReadOnly: true, MountPath: pod.TokenMountPath}}
	}
	return container
}

// encoded is a container as JSON without its arguments, resources and mounts, which go between the two parts. It is
// encoded once, since that costs more than all the rest of a decision.
type encoded struct{ before, after string }

func encode(container corev1.Container) encoded {
	const args = `["an argument"]`
	container.Args = []string{"an argument"}
	container.Resources, container.VolumeMounts = corev1.ResourceRequirements{}, nil
	before, after, found := strings.Cut(string(JSON(container)), args)
	if !found {
		panic("the encoding of a container has no arguments")
	}
	return encoded{before, after}
}

// JSON encodes a container without empty resources, which the API's own encoding always writes.
func JSON(container corev1.Container) json.RawMessage {
	raw, err := json.Marshal(container)
	if err != nil {
		panic(err) // a container always encodes
	}
	return json.RawMessage(strings.Replace(string(raw), `"resources":{},`, "", 1))
}

// Encode returns the container of Render as JSON.
func (c *Container) Encode(p *pod.Pod, args []string) json.RawMessage {
	text := make(json.RawMessage, 0, len(c.encoded.before)+len(c.encoded.after)+512)
	text = append(text, c.encoded.before...)
	text = jsontext.AppendStrings(text, args)
	if resources := resourcesFor(p, c.container.Resources.Limits); resources.Limits != nil ||
		resources.Requests != nil {
		text = appendResources(append(text, `,"resources":`...), resources)
	}
	if volume := p.TokenVolume(); volume != "" {
		text = jsontext.AppendString(append(text, `,"volumeMounts":[{"name":`...), volume)
		text = append(text, `,"readOnly":true,"mountPath":"`+pod.TokenMountPath+`"}]`...)
	}
	return append(text, c.encoded.after...)
}

// stated are the resources that decide on a pod's QoS class and that the container states, in the order of their
// names.
var stated = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// resourcesFor returns what the container states of each resource, at most what an administrator chose. The pod's QoS
// class stays as it is, and so does what the scheduler counts: it takes the greater of the init containers' requests
// and those of the others.
//
//	pod                             request               limit
//	BestEffort                      none; zero if the     no limit; zero if the
//	                                pod states zero       pod states zero
//	Burstable                       the pod's smallest    the pod's smallest, if it has one
//	Guaranteed                      the pod's smallest    the same
//	with spec.resources             none                  no limit: these alone count
//
// An empty spec.resources counts as none from Kubernetes 1.37 on. Before, it made every pod BestEffort, whatever its
// containers state.
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
