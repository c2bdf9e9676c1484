package chart_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// removed are the lines that an empty value removes. Helm adds a map in a values file to these defaults, so only null
// removes them.
var removed = map[string]string{
	"resources": `        resources:
          limits:
            memory: "512Mi"
          requests:
            cpu: "50m"
            memory: "64Mi"
`,
	"resources.limits":          "          limits:\n            memory: \"512Mi\"\n",
	"resources.limits.memory":   "          limits:\n            memory: \"512Mi\"\n",
	"resources.requests":        "          requests:\n            cpu: \"50m\"\n            memory: \"64Mi\"\n",
	"resources.requests.cpu":    "            cpu: \"50m\"\n",
	"resources.requests.memory": "            memory: \"64Mi\"\n",
	"metrics.dashboard.labels":  "    grafana_dashboard: \"1\"\n",

	"metrics.dashboard.labels.grafana_dashboard": "    grafana_dashboard: \"1\"\n",
}

// A value left empty (`podLabels:`) is null, and for Helm, null removes the default. Optional values may be left empty.
// For every other value, the schema names the missing one.
func TestEmptyValues(t *testing.T) {
	var defaults map[string]any
	content, err := os.ReadFile(chart + "/values.yaml")
	must(t, err)
	must(t, yaml.Unmarshal(content, &defaults))
	before := render(t, elsewhere, combinations["observed"])
	for path, value := range every("", defaults) {
		t.Run(path, func(t *testing.T) {
			after, problem, err := template(t, with(t, path, nil), release, chart, "--namespace", elsewhere)
			empty, isOptional := emptied(path, value)
			switch lines, removes := removed[path]; {
			case removes:
				compare(t, strings.Replace(before, lines, "", 1), after, problem)
			case isOptional:
				compare(t, render(t, elsewhere, with(t, path, empty)), after, problem)
			default:
				at, name := "", path
				if last := strings.LastIndex(path, "."); last >= 0 {
					at, name = "/"+strings.ReplaceAll(path[:last], ".", "/"), path[last+1:]
				}
				want := fmt.Sprintf("at '%s': missing property '%s'", at, name)
				if err == nil || !strings.Contains(problem, want) {
					t.Errorf("helm says %v\n%s\nwant %s", err, problem, want)
				}
			}
		})
	}
}

func compare(t *testing.T, want, got, problem string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-want +got):\n%s%s", diff, problem)
	}
}

// emptied returns the empty value of the same type. A value is optional if its default is empty, or if a person may
// remove the default.
func emptied(path string, value any) (empty any, isOptional bool) {
	switch value := value.(type) {
	case string:
		return "", value == "" || path == "priorityClassName"
	case []any:
		return []any{}, len(value) == 0 || path == "guestHandlers"
	case map[string]any:
		return map[string]any{}, len(value) == 0
	}
	return nil, false
}

// with returns values that render every part of the chart, with one value changed.
func with(t *testing.T, path string, value any) string {
	t.Helper()
	var values map[string]any
	must(t, yaml.Unmarshal([]byte(combinations["observed"]), &values))
	must(t, unstructured.SetNestedField(values, value, strings.Split(path, ".")...))
	content, err := yaml.Marshal(values)
	must(t, err)
	return string(content)
}

// every lists the values, and the maps that contain them, by path.
func every(prefix string, values map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range values {
		all[prefix+name] = value
		if fields, isMap := value.(map[string]any); isMap {
			maps.Copy(all, every(prefix+name+".", fields))
		}
	}
	return all
}
