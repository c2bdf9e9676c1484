package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gomodules.xyz/jsonpatch/v2"
)

// foundTemplate has the fields of a Template that a test compares.
type foundTemplate struct {
	Kind, Name, Namespace, Path string
	Line                        int
}

func templates(t *testing.T, in string) []foundTemplate {
	t.Helper()
	var found []foundTemplate
	out, err := rewriteKnown([]byte(in), func(tpl Template) ([]jsonpatch.Operation, error) {
		found = append(found, foundTemplate{tpl.Kind, tpl.Name, tpl.Namespace, tpl.Path.String(), tpl.Line})
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != in {
		t.Errorf("changes the input without operations:\n%s", cmp.Diff(in, string(out)))
	}
	return found
}

func TestRewriteFindsTemplates(t *testing.T) {
	const nested = "{spec: {template: {spec: {}}}}"
	for _, tt := range []struct {
		name, in string
		want     []foundTemplate
	}{
		{"in a pod, with its generateName", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-, namespace: ns}\n",
			[]foundTemplate{{"Pod", "a-", "ns", "<nil>", 1}}},
		{"in a deployment of an old group", "# top\n---\n\nkind: Deployment\napiVersion: extensions/v1beta1\nspec: " +
			"{template: {}}\n", []foundTemplate{{"Deployment", "", "", "spec.template", 4}}},
		{"in a cron job", "apiVersion: batch/v1beta1\nkind: CronJob\nspec: {jobTemplate: " + nested + "}\n",
			[]foundTemplate{{"CronJob", "", "", "spec.jobTemplate.spec.template", 1}}},
		{"in a pod template", "apiVersion: v1\nkind: PodTemplate\ntemplate: {}\n",
			[]foundTemplate{{"PodTemplate", "", "", "template", 1}}},
		{"in a list, with their lines", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- " +
			"{apiVersion: v1, kind: Service}\n- apiVersion: apps/v1\n  kind: DaemonSet\n  spec: {template: {}}\n",
			[]foundTemplate{{"Pod", "", "", "items[0]", 4}, {"DaemonSet", "", "", "items[2].spec.template", 6}}},
		{"in a typed list whose items have no kind",
			"apiVersion: apps/v1\nkind: DeploymentList\nitems: [{spec: {template: {}}}]\n",
			[]foundTemplate{{"Deployment", "", "", "items[0].spec.template", 3}}},
		{"after byte order marks", "\uFEFFapiVersion: v1\nkind: Pod\n---\n\uFEFF---\n# second\napiVersion: v1\n" +
			"kind: Pod\n---\n\uFEFF# third\n\uFEFFapiVersion: v1\nkind: Pod\n...\n\uFEFF...\n\uFEFF",
			[]foundTemplate{{"Pod", "", "", "<nil>", 1}, {"Pod", "", "", "<nil>", 6}, {"Pod", "", "", "<nil>", 10}}},
		{"in JSON", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n  {\"apiVersion\": \"v1\", \"kind\": " +
			"\"Pod\"}]}", []foundTemplate{{"Pod", "", "", "items[0]", 2}}},
		{"not in a kind of the same name in another group",
			"apiVersion: batch.volcano.sh/v1\nkind: Job\nspec: {template: {}}\n", nil},
		{"not in an object without an apiVersion", "kind: Pod\n", nil},
		{"not in a deployment without a template", "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2}\n", nil},
		{"in a list with a name, which the API ignores",
			"apiVersion: v1\nkind: List\nmetadata: {name: a}\nitems: [{apiVersion: v1, kind: Pod}]\n",
			[]foundTemplate{{"Pod", "", "", "items[0]", 4}}},
		{"not in a custom resource whose kind ends with List",
			"apiVersion: v1\nkind: PodList\nmetadata: {name: a}\nitems: [{metadata: {name: b}}]\n", nil},
		{"not in a list of something else", "apiVersion: example.com/v1\nkind: AllowList\nitems: [a, b]\n", nil},
		{"not in scalars, sequences and empty documents", "--- text\n--- [a]\n---\n...\n# end", nil},
		{"not in an empty input", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, templates(t, tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n"

func TestErrorsHaveLineNumbers(t *testing.T) {
	bombs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bombs += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"a syntax error in the second document", pod + "---\na: 1\n b: 2\n",
			"line 7: mapping values are not allowed in this context"},
		{"a syntax error in the first line", "a: b: c\n", "line 1: mapping values are not allowed in this context"},
		{"an error in each of two documents", "a: b: c\n---\na: [\n",
			"line 1: mapping values are not allowed in this context\nline 4: did not find expected node content"},
		{"a duplicate key", pod + "---\na: 1\nb: 2\na: 3\n", `line 8: key "a" is already set in line 6`},
		{"a duplicate key in JSON", `{"a": 1,` + "\n" + `"a": 2}`, `line 2: key "a" is already set in line 1`},
		{"two JSON objects without a marker", "{}\n{}\n", "line 2: did not find expected <document start>"},
		{"aliases that expand exponentially", pod + "---\n" + bombs, "line 6: document contains excessive aliasing"},
		{"an alias of itself", "a: &a [*a]\n", "line 1: anchor 'a' value contains itself"},
		{"deep nesting", strings.Repeat("[", 20000), "line 1: exceeded max depth of 10000"},
		{"bytes that are not UTF-8", "a: \xff\n", "the manifest is not UTF-8 text"},
		{"an unknown alias", pod + "---\na: *b\n", "line 6: unknown anchor 'b' referenced"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := rewriteKnown([]byte(tt.in), inject)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if out != nil {
				t.Errorf("output despite the error: %s", out)
			}
			if _, err2 := Objects([]byte(tt.in)); err2 == nil || err == nil || err2.Error() != err.Error() {
				t.Errorf("Objects returns %v", err2)
			}
		})
	}
	t.Run("a manifest that is too large", func(t *testing.T) {
		if _, err := rewriteKnown(make([]byte, MaxSize+1), inject); err == nil ||
			err.Error() != "the manifest has 67108865 bytes, more than the limit of 67108864" {
			t.Errorf("got %v", err)
		}
	})
}

func TestRewriteJoinsErrors(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	answers := []error{first, nil, second}
	out, err := rewriteKnown([]byte(pod+"---\n"+pod+"---\n"+pod), func(Template) ([]jsonpatch.Operation, error) {
		answer := answers[0]
		answers = answers[1:]
		return nil, answer
	})
	if out != nil || !errors.Is(err, first) || !errors.Is(err, second) || err.Error() != "first\nsecond" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestOperations(t *testing.T) {
	op := jsonpatch.NewOperation
	head := "apiVersion: v1\nkind: Pod\n"
	testRewrite(t, head, []rewrite{
		{name: "replaces a quoted scalar within its line", in: "spec:\n  a: \"x\\\"\" # why\n",
			out: "spec:\n  a: \"1.0\" # why\n", ops: []jsonpatch.Operation{op("replace", "/spec/a", "1.0")}},
		{name: "replaces an item", in: "spec:\n- a\n- 'b' # why\n", out: "spec:\n- a\n- c # why\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/1", "c")}},
		{name: "inserts in the middle of a sequence", in: "spec:\n  - a\n  # b\n  - b\n",
			out: "spec:\n  - a\n  - x: [1, 2]\n  # b\n  - b\n",
			ops: []jsonpatch.Operation{op("add", "/spec/1", map[string]any{"x": []int{1, 2}})}},
		{name: "replaces a null by a mapping and adds to it", in: "metadata:\n  labels:   # none\nspec:\n  a: b\n",
			out: "metadata:\n  labels:   # none\n    a: b\n    c/d: \"yes\"\nspec:\n  a: b\n",
			ops: []jsonpatch.Operation{op("add", "/metadata/labels", map[string]string{"a": "b"}),
				op("add", "/metadata/labels/c~1d", "yes")}},
		{name: "puts a value after a key without one", in: "metadata:\n  annotations:\n    a: # none\n",
			out: "metadata:\n  annotations:\n    a: '{}' # none\n",
			ops: []jsonpatch.Operation{op("add", "/metadata/annotations/a", "{}")}},
		{name: "distinguishes large whole numbers", in: "spec:\n  a: 9007199254740993\n",
			out: "spec:\n  a: 9007199254740993\n  b: 9007199254740995\n",
			ops: []jsonpatch.Operation{op("add", "/spec/b", 9007199254740995)}},
		{name: "quotes strings that would be read as another type", in: "spec:\n- a\n",
			out: "spec:\n- a\n- \"off\"\n- \"0777\"\n- \"\"\n- '#'\n- \"a\\nb\"\n- 'a: b'\n- \"2024-01-01\"\n- " +
				"\"<<\"\n- ' '\n", ops: []jsonpatch.Operation{
				op("add", "/spec/-", "off"), op("add", "/spec/-", "0777"), op("add", "/spec/-", ""),
				op("add", "/spec/-", "#"), op("add", "/spec/-", "a\nb"), op("add", "/spec/-", "a: b"),
				op("add", "/spec/-", "2024-01-01"), op("add", "/spec/-", "<<"), op("add", "/spec/-", " ")}},
		{name: "does not change the text if it has the value already", in: "spec: {a:   '1'}\n",
			out: "spec: {a:   '1'}\n", ops: []jsonpatch.Operation{op("replace", "/spec/a", "1")}},
		{name: "changes an anchored value without its aliases", in: "spec:\n  a: &x 1\n  b: *x\n",
			out: "spec:\n  a: 2\n  b: 1\n", ops: []jsonpatch.Operation{op("replace", "/spec/a", 2)}},
		{name: "adds a key next to a merge key that does not provide it", in: "x: &x {a: 1}\nspec:\n  <<: *x\n",
			out: "x: &x {a: 1}\nspec:\n  <<: *x\n  b: 2\n", ops: []jsonpatch.Operation{op("add", "/spec/b", 2)}},
		{name: "expands a merge key to change a value from it", in: "x: &x {a: 1}\nspec:\n  <<: *x\n  # c\n  c: 3\n",
			out: "x: &x {a: 1}\nspec:\n  a: 2\n  # c\n  c: 3\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/a", 2)}},
		{name: "rejects overwriting a mapping", in: "spec:\n  a: {b: 1}\n", ops: []jsonpatch.Operation{op("add",
			"/spec/a", 1)}, err: "line 1: add /spec/a: would overwrite a mapping or a sequence that is not empty"},
		{name: "rejects a parent that does not exist", in: "spec: {}\n",
			ops: []jsonpatch.Operation{op("add", "/spec/a/b", 1)},
			err: "line 1: apply the patch: add operation does not apply: doc is missing path: \"/spec/a/b\": " +
				"missing value"},
	})
}

// rewrite is a test case: the result of applying ops to in, or the error.
type rewrite struct {
	name, in, out string
	ops           []jsonpatch.Operation
	err           string
}

// testRewrite runs test cases, with head before in and out.
func testRewrite(t *testing.T, head string, tests []rewrite) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := rewriteKnown([]byte(head+tt.in),
				func(Template) ([]jsonpatch.Operation, error) { return tt.ops, nil })
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(head+tt.out, string(out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	in := "# policies\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns}\ndata: {big: " +
		"9007199254740993, on: off}\n---\n" +
		"apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n---\nkind: List\nitems: " +
		"[]\n---\n{\"kind\":\"X\"}\n"
	got, err := Objects([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []Object{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "a", Namespace: "ns", Line: 3,
			JSON: []byte(`{"apiVersion":"v1","data":{"big":9007199254740993,"true":false},"kind":"ConfigMap",` +
				`"metadata":{"name":"a","namespace":"ns"}}`)},
		{APIVersion: "v1", Kind: "Pod", Name: "p", Line: 11, JSON: []byte(`{"metadata":{"name":"p"}}`)},
		{Kind: "X", Line: 16, JSON: []byte(`{"kind":"X"}`)},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Object{})); diff != "" {
		t.Error(diff)
	}
	if line := got[0].LineOf([]string{"metadata", "name"}); line != 5 {
		t.Errorf("the name is on line %d", line)
	}
	if none, err := Objects([]byte("---\n---\n- a\n")); err != nil || len(none) != 0 {
		t.Errorf("a sequence: got %v", err)
	}
}

func FuzzRewrite(f *testing.F) {
	files, err := filepath.Glob("testdata/*/in.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		same, err := rewriteKnown(in, func(Template) ([]jsonpatch.Operation, error) { return nil, nil })
		if err != nil {
			return
		}
		if !bytes.Equal(same, in) {
			t.Fatal("changes the input without operations")
		}
		out, err := rewriteKnown(in, inject)
		if err != nil {
			return
		}
		before, err := read(in)
		if err != nil {
			t.Fatal(err)
		}
		after, err := read(out)
		if err != nil {
			t.Fatalf("the output does not parse: %v", err)
		}
		if len(before.documents) != len(after.documents) {
			t.Fatalf("%d documents became %d", len(before.documents), len(after.documents))
		}
		for i, doc := range before.documents {
			ops, err := doc.operations(inTable, inject)
			if err == nil && len(ops) == 0 && doc.text != after.documents[i].text {
				t.Fatalf("document %d changed from %q to %q", i, doc.text, after.documents[i].text)
			}
		}
	})
}
