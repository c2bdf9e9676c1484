package inspect

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Definition holds the fields of a CustomResourceDefinition that checks need.
type Definition struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Versions []DefinitionVersion `json:"versions"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

// DefinitionVersion is one version of a CustomResourceDefinition.
type DefinitionVersion struct {
	Name         string          `json:"name"`
	Served       bool            `json:"served"`
	Storage      bool            `json:"storage"`
	Schema       json.RawMessage `json:"schema"`
	Subresources json.RawMessage `json:"subresources"`
}

// Definitions returns the CustomResourceDefinitions of this version.
func Definitions() ([]Definition, error) {
	names, err := fs.Glob(templates.CRDs, "crds/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []Definition
	for _, name := range names {
		content, err := fs.ReadFile(templates.CRDs, name)
		if err != nil {
			return nil, err
		}
		var d Definition
		if err := yaml.Unmarshal(content, &d); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// JudgeDefinitions compares the installed CustomResourceDefinitions with those of this version, and ignores others.
// Helm installs them once and never changes them.
func JudgeDefinitions(installed, wanted []Definition, minor uint) []Check {
	const command = "kubectl apply --server-side --force-conflicts -f $CHART/crds"
	var checks []Check
	for _, want := range wanted {
		name := want.Metadata.Name
		object := "customresourcedefinition/" + name
		i := slices.IndexFunc(installed, func(d Definition) bool { return d.Metadata.Name == name })
		if i < 0 {
			checks = append(checks, QuestionDefinition.Fail(object, "the CRD %s is not installed",
				name).
				fix("install the CRDs of this version:", command))
			continue
		}
		if have := installed[i]; !have.isEstablished() {
			checks = append(checks, QuestionDefinition.Fail(object, "the API server does not serve the CRD %s: %s",
				name, have.problem()).
				fix("see its conditions:", "kubectl describe customresourcedefinition "+name))
		} else if fields := have.differences(want, minor); len(fields) > 0 {
			checks = append(checks, QuestionDefinition.Fail(object,
				"the CRD %s differs from this version in %s. Helm does not change CRDs in an upgrade",
				name, strings.Join(fields, ", ")).
				fix("apply the CRDs of this version:", command))
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionDefinition.Pass("%s match this version", counted(len(wanted), "CRD", "CRDs")))
	}
	return checks
}

func (d Definition) isEstablished() bool {
	for _, c := range d.Status.Conditions {
		if c.Type == "Established" {
			return c.Status == "True"
		}
	}
	return false
}

// problem returns the message of the first condition that is not True.
func (d Definition) problem() string {
	for _, c := range d.Status.Conditions {
		if c.Status != "True" && c.Message != "" {
			return c.Message
		}
	}
	return "it is not established yet"
}

// differences names the fields that differ between the versions.
func (d Definition) differences(want Definition, minor uint) []string {
	var fields []string
	for _, w := range want.Spec.Versions {
		i := slices.IndexFunc(d.Spec.Versions, func(v DefinitionVersion) bool { return v.Name == w.Name })
		if i < 0 {
			fields = append(fields, "version "+w.Name)
			continue
		}
		h := d.Spec.Versions[i]
		for _, f := range []struct {
			name string
			same bool
		}{
			{"served", h.Served == w.Served}, {"storage", h.Storage == w.Storage},
			{"schema", sameJSON(h.Schema, w.Schema, minor)},
			{"subresources", sameJSON(h.Subresources, w.Subresources, minor)},
		} {
			if !f.same {
				fields = append(fields, w.Name+"."+f.name)
			}
		}
	}
	return fields
}

// validationsSince is the first minor version of Kubernetes whose schemas have rules in CEL.
const validationsSince = 25

func sameJSON(a, b json.RawMessage, minor uint) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return false
	}
	if minor < validationsSince {
		removeValidations(x)
		removeValidations(y)
	}
	return reflect.DeepEqual(x, y)
}

// removeValidations removes the CEL rules of a schema.
func removeValidations(schema any) {
	switch schema := schema.(type) {
	case map[string]any:
		delete(schema, "x-kubernetes-validations")
		for _, value := range schema {
			removeValidations(value)
		}
	case []any:
		for _, value := range schema {
			removeValidations(value)
		}
	}
}
