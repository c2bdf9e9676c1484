package guard

import (
	"bytes"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
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

// Difference is what a policy is before a version of Kubernetes: variables whose expressions are others than from
// that version on.
type Difference struct {
	// Kubernetes is a constraint as Helm's semverCompare takes it, "<1.35-0".
	Kubernetes string            `json:"kubernetes"`
	Policy     string            `json:"policy"`
	Variables  map[string]string `json:"variables"`
}

// Differences returns how the guard of older versions differs from that of the newest, newest first. A later one
// overrides an earlier one. The chart, which cannot call Render, applies them.
func Differences(config Config) ([]Difference, error) {
	differences := []Difference{}
	for m := newest; m > oldest; m-- {
		var rendered [2][]client.Object
		for i := range rendered {
			config.KubernetesVersion = (m - minor(i)).String()
			objects, err := Render(config)
			if err != nil {
				return nil, err
			}
			rendered[i] = objects
		}
		for i, object := range rendered[0] {
			since, isPolicy := object.(*admissionregistrationv1.ValidatingAdmissionPolicy)
			if !isPolicy {
				continue
			}
			before := rendered[1][i].(*admissionregistrationv1.ValidatingAdmissionPolicy)
			if changed := changedVariables(since, before); len(changed) > 0 {
				differences = append(differences, Difference{fmt.Sprintf("<%s-0", m), since.Name, changed})
			}
		}
	}
	return differences, nil
}

func changedVariables(from, to *admissionregistrationv1.ValidatingAdmissionPolicy) map[string]string {
	changed := map[string]string{}
	for i, variable := range to.Spec.Variables {
		if variable.Expression != from.Spec.Variables[i].Expression {
			changed[variable.Name] = variable.Expression
		}
	}
	return changed
}
