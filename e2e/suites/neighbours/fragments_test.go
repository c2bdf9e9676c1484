package neighbours_test

import (
	_ "embed"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

//go:embed testdata/every-container.yaml
var everyContainer []byte

// fragment is what a neighbour adds to containers: an entry of testdata/every-container.yaml.
type fragment struct {
	Neighbour     string          `json:"neighbour"`
	SetsResources bool            `json:"setsResources"`
	Alone         bool            `json:"alone"`
	Rejection     []string        `json:"rejection"`
	Container     json.RawMessage `json:"container"`     // for every container
	InitContainer json.RawMessage `json:"initContainer"` // for init containers only
}

// fragments are the neighbours of testdata/every-container.yaml.
func fragments(t *testing.T) []neighbour {
	t.Helper()
	var all []fragment
	must(t, yaml.UnmarshalStrict(everyContainer, &all))
	var found []neighbour
	for _, f := range all {
		found = append(found, neighbour{name: f.Neighbour, setsResources: f.SetsResources, alone: f.Alone,
			change: f.change,
			spares: f.SetsResources, rejection: f.Rejection})
	}
	return found
}

func (f fragment) change(pod *corev1.Pod) {
	for i := range pod.Spec.InitContainers {
		merge(&pod.Spec.InitContainers[i], f.Container)
		merge(&pod.Spec.InitContainers[i], f.InitContainer)
	}
	for i := range pod.Spec.Containers {
		merge(&pod.Spec.Containers[i], f.Container)
	}
}

// merge panics if a fixture is invalid, and the webhook's caller gets the error.
func merge(c *corev1.Container, patch json.RawMessage) {
	if len(patch) == 0 {
		return
	}
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(raw, patch, corev1.Container{})
	if err != nil {
		panic(err)
	}
	*c = corev1.Container{}
	if err := json.Unmarshal(merged, c); err != nil {
		panic(err)
	}
}
