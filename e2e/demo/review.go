package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// object is a Kubernetes object as its YAML has it, without the empty fields that a Go type would add.
type object map[string]any

// readObject reads the first object of a kind from a file.
func readObject(file, kind string) (object, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if o["kind"] == kind {
			return o, nil
		}
	}
	return nil, fmt.Errorf("%s: no %s in it", file, kind)
}

// field returns the object below the names; one that is not there is empty.
func (o object) field(names ...string) object {
	for _, name := range names {
		o, _ = o[name].(map[string]any)
	}
	return o
}

// pod returns the pod that a workload's controller creates.
func (o object) pod() object {
	template := o.field("spec", "template")
	metadata := object{"generateName": fmt.Sprint(o.field("metadata")["name"], "-")}
	for key, value := range template.field("metadata") {
		metadata[key] = value
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
}

func (o object) yaml() string {
	encoded, err := yaml.Marshal(o)
	if err != nil {
		panic(err) // what was read from YAML can be written as YAML
	}
	return string(encoded)
}

func (o object) patched(patch []byte) (object, error) {
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	before, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	after, err := operations.Apply(before)
	if err != nil {
		return nil, fmt.Errorf("apply the patch: %w", err)
	}
	var patched object
	return patched, json.Unmarshal(after, &patched)
}

// expectInjected checks that the pod sets what was asked before anything else starts, and is otherwise as it was.
func (o object) expectInjected(before object) error {
	containers, _ := o.field("spec")["initContainers"].([]any)
	if len(containers) != 1 {
		return fmt.Errorf("the pod has %d init containers instead of 1", len(containers))
	}
	first, _ := containers[0].(map[string]any)
	wants := []any{}
	for _, sysctl := range asked {
		wants = append(wants, sysctl)
	}
	switch {
	case first["name"] != "sysctl-injector":
		return fmt.Errorf("the first init container is %q", first["name"])
	case !reflect.DeepEqual(first["args"], wants):
		return fmt.Errorf("the init container's arguments are %q instead of %q", first["args"], wants)
	case !reflect.DeepEqual(o.field("spec")["containers"], before.field("spec")["containers"]):
		return errors.New("the pod's own containers have changed")
	}
	return nil
}

// newReview asks about the creation of a pod, in the words of an API server.
func newReview(pod object) ([]byte, error) {
	raw, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       "2c2b8f0e-6d2d-4e0c-9a0c-0d6f0f3f5a10",
			Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Namespace: "demo",
			Operation: admissionv1.Create,
			Object:    runtime.RawExtension{Raw: raw},
		},
	})
}

// post sends a review over HTTPS, checking the server's certificate, and returns the answer.
func (s *server) post(ctx context.Context, review []byte) (*admissionv1.AdmissionResponse, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(review))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the webhook answers %s: %s", answer.Status, body)
	}
	var answered admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &answered); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if answered.Response == nil {
		return nil, fmt.Errorf("the answer has no response: %s", body)
	}
	return answered.Response, nil
}
