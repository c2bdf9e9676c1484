package helm

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// decode reads a file of the chart.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(chart, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// leaves lists the values, by their dotted path. An empty map is a value: what is in it, a person decides.
func leaves(path string, value any) map[string]any {
	fields, isMap := value.(map[string]any)
	if !isMap || len(fields) == 0 {
		return map[string]any{path: value}
	}
	all := map[string]any{}
	for name, field := range fields {
		maps.Copy(all, leaves(strings.TrimPrefix(path+"."+name, "."), field))
	}
	return all
}

func values(t *testing.T) map[string]any {
	t.Helper()
	var all map[string]any
	decode(t, "values.yaml", &all)
	return leaves("", all)
}

type schema struct {
	Type                 any               `json:"type"`
	Properties           map[string]schema `json:"properties"`
	AdditionalProperties any               `json:"additionalProperties"`
	Items                *schema           `json:"items"`
}

// check holds every object of the schema to naming its keys, and lists the leaves.
func (s schema) check(t *testing.T, path string) (all []string) {
	t.Helper()
	if s.Items != nil {
		s.Items.check(t, path+"[]")
	}
	if s.Properties == nil {
		return []string{path}
	}
	if others, stated := s.AdditionalProperties.(bool); others || !stated {
		t.Errorf("schema: %s: additionalProperties is %v, so that a typing error passes", path, s.AdditionalProperties)
	}
	for name, property := range s.Properties {
		all = append(all, property.check(t, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return all
}

// forHelm is in the schema alone: Helm adds it to the values of a chart that another depends on.
const forHelm = "global"

func TestSchemaNamesTheValues(t *testing.T) {
	var root schema
	decode(t, "values.schema.json", &root)
	inSchema := map[string]bool{}
	for _, path := range root.check(t, "") {
		inSchema[path] = true
	}
	delete(inSchema, forHelm)
	for path := range values(t) {
		// Of what is below resources, values.yaml has a part, of a dashboard's labels the one that is usual, and of
		// affinity nothing.
		if !inSchema[path] && !isFree(path) {
			t.Errorf("values.yaml: %s is not in the schema", path)
		}
	}
	for path := range inSchema {
		if _, known := values(t)[path]; !known && !isFree(path) {
			t.Errorf("schema: %s is not in values.yaml, with a comment", path)
		}
	}
}

// free are the values of which a person writes as much as they need.
var free = []string{"resources", "metrics.dashboard.labels", "affinity"}

func isFree(path string) bool {
	return slices.ContainsFunc(free, func(prefix string) bool {
		return path == prefix ||
			strings.HasPrefix(path, prefix+".")
	})
}

// Helm validates with the same regular expressions.
func TestPatternsOfTheSchema(t *testing.T) {
	var root struct {
		Definitions map[string]struct{ Pattern string }
	}
	decode(t, "values.schema.json", &root)
	for name, texts := range map[string]struct{ accepted, rejected []string }{
		"repository": {
			[]string{"busybox", "ghcr.io/a/b", "localhost:5000/a", "registry.example.com:5000/a_b/c--d"},
			[]string{"", "busybox:1.36", "ghcr.io/a/b:tag", "localhost:5000/a:tag", "ghcr.io/a/b@sha256:" +
				strings.Repeat("0", 64), "ghcr.io/a/", "localhost:5000", "a b"},
		},
		"quantityAboveZero": {
			[]string{"1", "100m", "010", "0.5", "1.0", "0.05Gi", "32Mi"},
			[]string{"", "0", "00", "0m", "0Mi", "0.0", "0.00k", "-1", "lots"},
		},
		"duration": {
			[]string{"1s", "24h30m", "0h5m", "1h0m0s", "010m"},
			[]string{"", "0s", "0h0m", "00m", "1", "-1s", "an hour"},
		},
		"cidr": {
			[]string{"10.0.0.1/32", "10.0.0.0/8", "0.0.0.0/0", "fd00::1/128", "::/0", "fd00::/64",
				"::ffff:10.0.0.1/104"},
			[]string{"10.0.0.1", "10.0.0.0/33", "10.0.0.0/99", "fd00::1/129", "fd00::1/999", "10.0.0.0/032"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pattern := regexp.MustCompile(root.Definitions[name].Pattern)
			for _, text := range texts.accepted {
				if !pattern.MatchString(text) {
					t.Errorf("rejects %q", text)
				}
			}
			for _, text := range texts.rejected {
				if pattern.MatchString(text) {
					t.Errorf("accepts %q", text)
				}
			}
		})
	}
}

func TestDefaultsAreTheProgramsOwn(t *testing.T) {
	var container corev1.Container
	if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &container); err != nil {
		t.Fatal(err)
	}
	var handlers []any
	for _, handler := range policy.DefaultGuestHandlers() {
		handlers = append(handlers, handler)
	}
	found := values(t)
	for path, want := range map[string]any{
		"initContainer.image":      container.Image,
		"initContainer.pullPolicy": string(container.ImagePullPolicy),
		"initContainer.cpu":        container.Resources.Requests.Cpu().String(),
		"initContainer.memory":     container.Resources.Requests.Memory().String(),
		"guestHandlers":            handlers,
	} {
		if diff := cmp.Diff(want, found[path]); diff != "" {
			t.Errorf("values.yaml: %s (-program +chart):\n%s", path, diff)
		}
	}
}
