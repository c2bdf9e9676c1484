package manifest

import (
	"testing"

	"gomodules.xyz/jsonpatch/v2"
)

func TestRemoveAndReplace(t *testing.T) {
	op := jsonpatch.NewOperation
	remove := func(paths ...string) []jsonpatch.Operation {
		var ops []jsonpatch.Operation
		for _, path := range paths {
			ops = append(ops, op("remove", path, nil))
		}
		return ops
	}
	const head = "apiVersion: v1\nkind: Pod\n"
	testRewrite(t, head, []rewrite{
		{name: "removes the lines of an item, and keeps the comments around it",
			in: "spec:\n  - a: 1\n    b: 2\n  # of b\n  - b: 1\n    # in b\n    c: 2 # deep\n      # deeper\n  # of " +
				"c\n  - c\n",
			out: "spec:\n  - a: 1\n    b: 2\n  # of b\n  # of c\n  - c\n", ops: remove("/spec/1")},
		{name: "removes a key", in: "spec:\n  a: 1\n  b: |\n    x\n    # text\n\n  c: 3\n",
			out: "spec:\n  a: 1\n\n  c: 3\n", ops: remove("/spec/b")},
		{name: "removes the last key of a file without a last line end", in: "spec:\n  a: 1\n  b:\n  - 2",
			out: "spec:\n  a: 1\n", ops: remove("/spec/b")},
		{name: "moves the next key to the dash", in: "spec:\n- a: 1\n  b: 2 # why\n", out: "spec:\n- b: 2 # why\n",
			ops: remove("/spec/0/a")},
		{name: "leaves an empty sequence", in: "spec: # none\n# about a\n- a\n# end\n",
			out: "spec: [] # none\n# about a\n# end\n", ops: remove("/spec/0")},
		{name: "leaves an empty mapping", in: "spec:\n- a: 1\n", out: "spec:\n- {}\n", ops: remove("/spec/0/a")},
		{name: "removes entries in flow style", in: "spec: {a: [1, 2, 3], b: {c: d}, e: 'f, g'} # why\n",
			out: "spec: {a: [1, 3]} # why\n", ops: remove("/spec/a/1", "/spec/e", "/spec/b")},
		{name: "removes the only item in flow style", in: "spec: {a: [ 1 ]}\n", out: "spec: {a: []}\n",
			ops: remove("/spec/a/0")},
		{name: "removes lines in flow style", in: "spec: [\n  a,\n  b,\n  c\n]\n", out: "spec: [\n  a\n]\n",
			ops: remove("/spec/1", "/spec/1")},
		{name: "encodes the document again if a comment in flow style is in the way",
			in: "spec: [\n  a, # of a\n  b\n]\n", out: "spec: [b]\n", ops: remove("/spec/0")},
		{name: "moves an item to the front",
			in:  "spec:\n- name: wait\n  image: w\n# ours\n- name: first\n  image: f\n- name: last\n",
			out: "spec:\n- image: f\n  name: first\n- name: wait\n  image: w\n# ours\n- name: last\n",
			ops: append(remove("/spec/1"), op("add", "/spec/0", map[string]string{"name": "first", "image": "f"}))},
		{name: "replaces an item", in: "spec:\n  - a: 1\n    b: 2\n  - c\n", out: "spec:\n  - x: 1\n  - c\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/0", map[string]int{"x": 1})}},
		{name: "replaces the only item", in: "spec:\n- a: 1\n  b: 2\n", out: "spec:\n- x: 1\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/0", map[string]int{"x": 1})}},
		{name: "replaces a sequence in place", in: "spec:\n  a:\n  - b\n  - c\n  # of d\n  d: 1\n",
			out: "spec:\n  a: [\"x\"]\n  # of d\n  d: 1\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/a", []string{"x"})}},
		{name: "replaces a mapping by a larger one", in: "spec:\n  a: {b: c}\n  d: 1\n",
			out: "spec:\n  a:\n    x: \"1\"\n    z: \"y\"\n  d: 1\n",
			ops: []jsonpatch.Operation{op("replace", "/spec/a", map[string]string{"x": "1", "z": "y"})}},
		{name: "replaces a mapping by a scalar", in: "spec:\n  a:\n    b: c # why\n  d: 1\n",
			out: "spec:\n  a: 2\n  d: 1\n", ops: []jsonpatch.Operation{op("replace", "/spec/a", 2)}},
		{name: "replaces the aliases of a removed anchor by copies", in: "spec:\n  a: &x {b: 1}\n  c: *x\n",
			out: "spec:\n  c: {b: 1}\n", ops: remove("/spec/a")},
		{name: "removes an alias and keeps the anchored value", in: "spec:\n  a: &x {b: 1}\n  c: *x\n",
			out: "spec:\n  a: &x {b: 1}\n", ops: remove("/spec/c")},
		{name: "removes a key that a merge key provides", in: "x: &x {a: 1, b: 2}\nspec:\n  <<: *x\n  c: 3\n",
			out: "x: &x {a: 1, b: 2}\nspec:\n  b: 2\n  c: 3\n", ops: remove("/spec/a")},
		{name: "rejects removing a key that does not exist", in: "spec:\n  a: 1\n", ops: remove("/spec/b"),
			err: "line 1: apply the patch: error in remove for path: '/spec/b': unable to remove nonexistent key: b: " +
				"missing value"},
	})
}

func TestRemoveFromJSON(t *testing.T) {
	const head = `{"apiVersion": "v1", "kind": "Pod", "spec": `
	for _, tt := range []struct{ in, path, out string }{
		{"{\n  \"a\": [\n    {\"b\": 1},\n    {\"c\": \"]\"}\n  ],\n  \"d\": 1\n}}\n", "/spec/a/0",
			"{\n  \"a\": [\n    {\"c\": \"]\"}\n  ],\n  \"d\": 1\n}}\n"},
		{"{\n  \"a\": [\n    {\"b\": 1},\n    {\"c\": \"]\"}\n  ],\n  \"d\": 1\n}}\n", "/spec/a/1",
			"{\n  \"a\": [\n    {\"b\": 1}\n  ],\n  \"d\": 1\n}}\n"},
		{"{\"a\": {\"b\": 1}}}", "/spec/a/b", "{\"a\": {}}}"},
		{"{\"a\":null,\"b\":true}}", "/spec/a", "{\"b\":true}}"},
	} {
		out, err := rewriteKnown([]byte(head+tt.in), func(Template) ([]jsonpatch.Operation, error) {
			return []jsonpatch.Operation{jsonpatch.NewOperation("remove", tt.path, nil)}, nil
		})
		if err != nil || string(out) != head+tt.out {
			t.Errorf("%s of %s: got %s, %v", tt.path, tt.in, out, err)
		}
	}
}
