package guard

import (
	"bytes"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Manifest returns objects as kubectl applies them: YAML documents, without a status.
func Manifest(objects []client.Object) ([]byte, error) {
	var manifest bytes.Buffer
	for _, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		delete(fields, "status")
		encoded, err := yaml.Marshal(fields)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&manifest, "---\n%s", encoded)
	}
	return manifest.Bytes(), nil
}
