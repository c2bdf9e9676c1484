package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocuments(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\n"
	for name, test := range map[string]struct {
		in      string
		objects int
		others  []NonObject
	}{
		"an object":       {pod, 1, nil},
		"an empty text":   {"", 0, nil},
		"empty documents": {"---\n---\n# nothing\n", 0, nil},
		"a JSON patch": {"- op: replace\n  path: /spec/replicas\n  value: 3\n", 0,
			[]NonObject{{1, "a JSON patch"}}},
		"a list":  {"- a\n", 0, []NonObject{{1, "a list"}}},
		"a value": {"yes\n", 0, []NonObject{{1, "a single value"}}},
		"Helm values": {"replicaCount: 2\n", 0,
			[]NonObject{{1, "it has no apiVersion and kind, like a values file or a patch"}}},
		"a patch in JSON": {`{"spec": {}}`, 0,
			[]NonObject{{1, "it has no apiVersion and kind, like a values file or a patch"}}},
		"a kustomization": {"resources: [a.yaml]\n", 0,
			[]NonObject{{1, "a kustomization without apiVersion and kind"}}},
		"an object followed by a list": {pod + "---\n- a\n", 1, []NonObject{{4, "a list"}}},
	} {
		t.Run(name, func(t *testing.T) {
			objects, others, err := Documents([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if objects != test.objects || !cmp.Equal(others, test.others) {
				t.Errorf("got %d objects, others %+v; want %d, %+v", objects, others, test.objects, test.others)
			}
		})
	}
}
