package helm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	yaml "go.yaml.in/yaml/v3"
)

const (
	readme = chart + "/README.md"
	begin  = "<!-- values: begin. `go test ./deploy/helm -update` writes this table " +
		"from values.yaml and values.schema.json. -->\n"
	end = "<!-- values: end -->\n"
)

// The table of values is current.
func TestReadme(t *testing.T) {
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := strings.Cut(string(content), begin)
	_, after, hasEnd := strings.Cut(rest, end)
	if !hasBegin || !hasEnd {
		t.Fatalf("%s has no table of values between %q and %q", readme, begin, end)
	}
	want := before + begin + table(t) + end + after
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(string(content), want); diff != "" {
		t.Errorf("%s is not what values.yaml says; `go test ./deploy/helm -update` writes it (-file +values):\n%s",
			readme, diff)
	}
}

// table has a row for each value, in the order of values.yaml.
func table(t *testing.T) string {
	t.Helper()
	var document yaml.Node
	content, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	var root constraint
	decode(t, "values.schema.json", &root)
	rows := strings.Builder{}
	rows.WriteString("| value | type | default | meaning |\n|---|---|---|---|\n")
	writeRows(t, &rows, &root, root.Definitions, "", document.Content[0])
	return rows.String()
}

func writeRows(t *testing.T, rows *strings.Builder, at *constraint, definitions map[string]*constraint, path string,
	values *yaml.Node) {
	t.Helper()
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		inner, path := at.property(key.Value), strings.TrimPrefix(path+"."+key.Value, ".")
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			writeRows(t, rows, inner, definitions, path, value)
			continue
		}
		if key.HeadComment == "" {
			t.Errorf("values.yaml: %s has no comment", path)
		}
		fmt.Fprintf(rows, "| `%s` | %s | %s | %s |\n", path, inner.resolve(definitions), defaultOf(t, path, value),
			meaning(key.HeadComment))
	}
}

func defaultOf(t *testing.T, path string, value *yaml.Node) string {
	t.Helper()
	if path == "guestHandlers" { // a long list
		return "the handlers that kata-deploy installs"
	}
	if value.Kind == yaml.ScalarNode && value.Value != "" {
		return "`" + value.Value + "`"
	}
	var decoded any
	if err := value.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return "`" + string(encoded) + "`"
}

var page = regexp.MustCompile(`docs/[a-z]+\.md`)

// meaning is a comment as a cell: one line, with pages as links. The README is read where the repository is not.
func meaning(comment string) string {
	var words []string
	for line := range strings.Lines(comment) {
		words = append(words, strings.Fields(strings.TrimPrefix(line, "#"))...)
	}
	text := strings.ReplaceAll(strings.Join(words, " "), "|", `\|`)
	return page.ReplaceAllStringFunc(text, func(path string) string {
		return "[" + path + "](https://github.com/sysctl-injector/sysctl-injector/blob/main/" + path + ")"
	})
}

// constraint is what the schema says of one value.
type constraint struct {
	Title       string                 `json:"title"`
	Type        any                    `json:"type"`
	Ref         string                 `json:"$ref"`
	Enum        []any                  `json:"enum"`
	Minimum     *int                   `json:"minimum"`
	Maximum     *int                   `json:"maximum"`
	AnyOf       []*constraint          `json:"anyOf"`
	Properties  map[string]*constraint `json:"properties"`
	Definitions map[string]*constraint `json:"definitions"`
}

// property is what the schema says of a key. Of keys that a person chooses, such as labels, it says that they are
// text.
func (c *constraint) property(name string) *constraint {
	return cmp.Or(c.Properties[name], &constraint{Type: "string"})
}

// resolve says in a few words what the value may be.
func (c *constraint) resolve(definitions map[string]*constraint) string {
	for _, option := range c.AnyOf { // a name, or empty
		if option.Ref != "" {
			c = option
		}
	}
	if name, isReference := strings.CutPrefix(c.Ref, "#/definitions/"); isReference {
		c = definitions[name]
	}
	switch {
	case c.Title != "":
		return c.Title
	case len(c.Enum) > 0:
		var options []string
		for _, option := range c.Enum {
			options = append(options, fmt.Sprintf("`%v`", option))
		}
		return strings.Join(options, ", ")
	case c.Maximum != nil:
		return fmt.Sprintf("%d to %d", *c.Minimum, *c.Maximum)
	case c.Minimum != nil:
		return fmt.Sprintf("at least %d", *c.Minimum)
	}
	words := map[any]string{"string": "text", "boolean": "true or false", "array": "list", "object": "map"}
	return words[c.Type]
}
