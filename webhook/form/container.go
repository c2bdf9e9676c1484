package form

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"

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
