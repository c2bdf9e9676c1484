package form

import (
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// Render returns the container for a pod, with its arguments.
func (f *Form) Render(p *pod.Pod, args []string) corev1.Container {
	container := f.container
	container.Args = args
	if !p.NeedsResources() {
		container.Resources = corev1.ResourceRequirements{}
	}
	return container
}

// encoded is a container as JSON without its arguments, which go between the two parts. It is encoded once, since that costs
// more than all the rest of a decision.
type encoded struct{ before, after string }

// encode leaves out empty resources, which the API's own encoding always writes.
func encode(container corev1.Container) encoded {
	const args = `["an argument"]`
	container.Args = []string{"an argument"}
	raw, err := json.Marshal(container)
	if err != nil {
		panic(err) // a container always encodes
	}
	text := string(raw)
	text = strings.Replace(text, `"resources":{},`, "", 1)
	before, after, found := strings.Cut(text, args)
	if !found {
		panic("the encoding of a container has no arguments")
	}
	return encoded{before, after}
}

// Encode returns the container as JSON, with the mount of the service account's token.
func (f *Form) Encode(p *pod.Pod, args []string) json.RawMessage {
	container := f.bare
	if p.NeedsResources() {
		container = f.stated
	}
	text := make(json.RawMessage, 0, len(container.before)+len(container.after)+512)
	text = append(text, container.before...)
	text = jsontext.AppendStrings(text, args)
	if volume := p.TokenVolume(); volume != "" {
		text = jsontext.AppendString(append(text, `,"volumeMounts":[{"name":`...), volume)
		text = append(text, `,"readOnly":true,"mountPath":"`+pod.TokenMountPath+`"}]`...)
	}
	return append(text, container.after...)
}
