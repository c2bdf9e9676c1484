package admission

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// A patch says the same as the one that encoding/json writes.
func TestEncodePatch(t *testing.T) {
	operations := []jsonpatch.Operation{
		jsonpatch.NewOperation("add", "/spec/initContainers/0",
			json.RawMessage(`{"name": "a<b", "args": ["\u00e9", "\""]}`)),
		jsonpatch.NewOperation("add", "/spec/imagePullSecrets", []corev1.LocalObjectReference{{Name: "é\n"}}),
		jsonpatch.NewOperation("add", "/spec/imagePullSecrets/-", corev1.LocalObjectReference{Name: "pull"}),
		jsonpatch.NewOperation("add", "/metadata/labels/a~1b\"", ""),
		jsonpatch.NewOperation("remove", "/spec/initContainers/1", nil),
	}
	for count := range len(operations) + 1 {
		patch, err := encodePatch(operations[:count])
		if err != nil {
			t.Fatal(err)
		}
		expected, err := json.Marshal(operations[:count])
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(patch, &got); err != nil {
			t.Fatalf("%v: %s", err, patch)
		}
		if err := json.Unmarshal(expected, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("patch (-want +got):\n%s", diff)
		}
	}
	if _, err := encodePatch([]jsonpatch.Operation{jsonpatch.NewOperation("add", "/spec",
		make(chan int))}); err == nil {
		t.Error("encodes a channel")
	}
}
