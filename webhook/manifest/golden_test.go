package manifest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// container has its fields in non-alphabetical order.
type container struct {
	Name            string           `json:"name"`
	Image           string           `json:"image"`
	Command         []string         `json:"command"`
	Args            []string         `json:"args"`
	SecurityContext map[string]any   `json:"securityContext"`
	Env             []map[string]any `json:"env"`
}

var first = container{
	Name: "first",
	Image: "registry.example.com/first@sha256:" +
		"0000000000000000000000000000000000000000000000000000000000000000",
	Command:         []string{"first", "-w"},
	Args:            []string{"a.b=32768 65535", "c=true"},
	SecurityContext: map[string]any{"privileged": true, "runAsUser": 0, "capabilities": map[string]any{}},
	Env:             []map[string]any{{"name": "A", "value": "true"}, {"name": "B", "value": "a: b # c"}},
}

// inject is an Edit that adds the container first to every pod that requests it and does not have it.
func inject(t Template) ([]jsonpatch.Operation, error) {
	pod := gjson.ParseBytes(t.Pod)
	if !pod.Get(`metadata.annotations.example\.com/inject`).Exists() ||
		pod.Get("spec.initContainers.0.name").String() == first.Name {
		return nil, nil
	}
	ops := []jsonpatch.Operation{}
	add := func(path string, value any) { ops = append(ops, jsonpatch.NewOperation("add", path, value)) }
	if !pod.Get("metadata.labels").IsObject() {
		add("/metadata/labels", map[string]string{})
	}
	add("/metadata/labels/example.com~1injected", "true")
	add("/metadata/annotations/example.com~1status", `{"version":"v1","set":["a.b"]}`)
	if !pod.Get("spec.initContainers").IsArray() {
		add("/spec/initContainers", []any{})
	}
	add("/spec/initContainers/0", first)
	if pod.Get("spec.imagePullSecrets").IsArray() {
		add("/spec/imagePullSecrets/-", map[string]string{"name": "first"})
	} else {
		add("/spec/imagePullSecrets", []any{map[string]string{"name": "first"}})
	}
	return ops, nil
}

// rewriteKnown edits each pod template of a known kind.
func rewriteKnown(in []byte, edit Edit) ([]byte, error) { return Rewrite(in, inTable, edit) }

// inTable returns the location of the template in an object of a known kind.
func inTable(o Object) []workload.Location {
	kind := workload.Find(o.APIVersion, o.Kind)
	if kind == nil || !at(o.JSON, kind.Path).IsObject() {
		return nil
	}
	return []workload.Location{{Path: kind.Path}}
}

// changesLines names the cases that change lines, because an edit is in flow style or JSON, or replaces an empty value
// or an alias. All other cases only add lines.
var changesLines = []string{
	"anchors", "anchors-in-flow", "cron-job", "flow-style", "json-compact", "json-pretty", "json-tabs",
	"kustomize-style", "merge-keys", "status-exists", "streams", "typed-list",
}

func TestGolden(t *testing.T) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == "fuzz" {
			continue
		}
		t.Run(name, func(t *testing.T) { golden(t, filepath.Join("testdata", name)) })
	}
}

func golden(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files (%v)", dir, err)
	}
	ext := filepath.Ext(files[0])
	outFile := filepath.Join(dir, "out"+ext)
	for _, file := range files {
		if file != filepath.Join(dir, "in"+ext) && file != outFile {
			t.Errorf("stray file %s", file)
		}
	}
	in, err := os.ReadFile(filepath.Join(dir, "in"+ext))
	if err != nil {
		t.Fatal(err)
	}
	out, err := rewriteKnown(in, inject)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(outFile, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(outFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(out)); diff != "" {
		t.Errorf("output differs from %s (-want +got):\n%s", outFile, diff)
	}
	again, err := rewriteKnown(out, inject)
	if err != nil || !bytes.Equal(again, out) {
		t.Errorf("a second run changes something (%v):\n%s", err, cmp.Diff(string(out), string(again)))
	}
	if name := filepath.Base(dir); slices.Contains(changesLines, name) == onlyAdds(string(in), string(out)) {
		t.Errorf("only adds lines: %t", onlyAdds(string(in), string(out)))
	}
}

// onlyAdds reports whether out contains each line of in, in the same order. The last line may get a line end.
func onlyAdds(in, out string) bool {
	lines := strings.SplitAfter(in, "\n")
	if last := &lines[len(lines)-1]; *last != "" && !strings.HasSuffix(out, *last) {
		*last += lineEnd(in)
	}
	for line := range strings.SplitAfterSeq(out, "\n") {
		if len(lines) > 0 && lines[0] == line {
			lines = lines[1:]
		}
	}
	return len(lines) == 0
}

func lineEnd(text string) string {
	if strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}
