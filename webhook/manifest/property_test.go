package manifest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"gomodules.xyz/jsonpatch/v2"
	kyaml "sigs.k8s.io/yaml"
)

// author writes a pod in block style. Each author has its own style.
type author struct {
	*rand.Rand
	strings.Builder
	unit, dash int
	end        string
}

func (a *author) pick(of ...string) string { return of[a.IntN(len(of))] }

// noise writes the comments and blank lines that people leave between entries.
func (a *author) noise(indent int) {
	for a.IntN(5) == 0 {
		deeper := indent + a.IntN(3)
		a.WriteString(a.pick("", strings.Repeat(" ", deeper)+"# note: [", strings.Repeat(" ", indent)+"# it's",
			"  ") + a.end)
	}
}

// key writes a key without a line end.
func (a *author) key(indent int, name string) {
	a.noise(indent)
	a.WriteString(strings.Repeat(" ", indent) + a.pick(name, name, `"`+name+`"`, "'"+name+"'") + ":")
}

// scalar writes a value after a key or a dash. Continuation lines have an indentation of at least indent+1.
func (a *author) scalar(indent int) {
	in := a.end + strings.Repeat(" ", indent+1+a.IntN(3))
	text := a.pick(
		"web", "'it''s # one'", `"two \" # \u00e9"`, "17", "yes", "~", `""`, "é漢", "{a: [b]}", "[ ]", "a#b",
		"&anchor x",
		`"one`+in+`# two`+a.end+in+`three"`, `'one`+in+`two'`, "one"+in+"two",
		"|"+in+"text", "|-"+in+"# text"+a.end+in+"more", ">"+in+"folded"+in+"more", "|+ # kept"+in+"text"+a.end+a.end,
		">-"+in+"x",
		"|"+fmt.Sprint(1)+a.end+strings.Repeat(" ", indent+1)+"  deep"+a.end+strings.Repeat(" ", indent+1)+"less",
	)
	comment := ""
	if !strings.ContainsAny(text, "|>\n") {
		comment = a.pick("", "", "  # why", "   ")
	}
	a.WriteString(" " + text + comment + a.end)
}

func (a *author) mapping(entries ...func()) {
	a.WriteString(a.pick("", "", " # all") + a.end)
	a.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for _, entry := range entries {
		entry()
	}
}

func (a *author) scalars(indent int, prefix string) []func() {
	var all []func()
	for i := range a.IntN(3) {
		all = append(all, func() { a.key(indent, fmt.Sprint(prefix, i)); a.scalar(indent) })
	}
	return all
}

// items writes a sequence of mappings under a key at indent.
func (a *author) items(indent int, name string) func() {
	return func() {
		a.key(indent, name)
		a.WriteString(a.pick("", "", " # many") + a.end)
		at := indent + a.dash
		for range 1 + a.IntN(2) {
			a.noise(at)
			a.WriteString(strings.Repeat(" ", at) + "-" + a.pick(" ", " ", " ", a.end+strings.Repeat(" ", at+2)))
			a.WriteString("name:")
			a.scalar(at + 2)
			for _, entry := range a.scalars(at+2, "s") {
				entry()
			}
			if a.IntN(2) == 0 {
				a.key(at+2, "args")
				a.WriteString(a.end)
				for range 1 + a.IntN(2) {
					a.WriteString(strings.Repeat(" ", at+2+a.dash) + "-")
					a.scalar(at + 2 + a.dash)
				}
			}
		}
	}
}

func (a *author) pod() string {
	u := a.unit
	a.WriteString("apiVersion: v1" + a.end + "kind: Pod" + a.end)
	annotations := append(a.scalars(2*u, "a"),
		func() { a.key(2*u, "example.com/inject"); a.WriteString(" 'yes'" + a.end) })
	metadata := append(a.scalars(u, "m"), func() { a.key(u, "annotations"); a.mapping(annotations...) })
	if a.IntN(2) == 0 {
		labels := append(a.scalars(2*u, "l"), func() { a.key(2*u, "app"); a.scalar(2 * u) })
		metadata = append(metadata, func() { a.key(u, "labels"); a.mapping(labels...) })
	}
	spec := append(a.scalars(u, "s"), a.items(u, "containers"))
	for _, name := range []string{"initContainers", "imagePullSecrets", "tolerations"} {
		if a.IntN(2) == 0 {
			spec = append(spec, a.items(u, name))
		}
	}
	a.mappingOf("metadata", metadata)
	a.mappingOf("spec", spec)
	return a.String()
}

func (a *author) mappingOf(name string, entries []func()) {
	a.key(0, name)
	a.mapping(entries...)
}

// anyPod returns a pod in a style that depends on the seed, and whether it ends with a line end.
func anyPod(seed uint64) (in string, ended bool) {
	random := rand.New(rand.NewPCG(seed, 1))
	a := &author{Rand: random, unit: 2 + random.IntN(3), end: []string{"\n", "\n", "\r\n"}[random.IntN(3)]}
	a.dash = []int{0, 2, a.unit}[random.IntN(3)]
	in = a.pod()
	if ended = a.IntN(4) > 0; !ended {
		in = strings.TrimSuffix(in, a.end)
	}
	return in, ended
}

func TestAddingOnlyAddsLinesInAnyBlockStyle(t *testing.T) {
	for seed := range uint64(600) {
		in, ended := anyPod(seed)
		var ops []jsonpatch.Operation
		out, err := rewriteKnown([]byte(in), func(pod Template) ([]jsonpatch.Operation, error) {
			var err error
			ops, err = inject(pod)
			return ops, err
		})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, in)
		}
		before, errBefore := kyaml.YAMLToJSON([]byte(in))
		after, errAfter := kyaml.YAMLToJSON(out)
		want, errWant := patched(before, ops)
		if errBefore != nil || errAfter != nil || errWant != nil || !equalJSON(after, want) {
			t.Fatalf("seed %d: differs from the result of the patch\n%s\n---\n%s", seed, in, out)
		}
		// If the input ends in a block scalar without a line break, adding lines changes its text.
		if ended && !onlyAdds(in, string(out)) {
			t.Errorf("seed %d: a line changed\n%s\n---\n%s", seed, in, out)
		}
	}
}

// paths adds the path of every value below a value to found, and whether whole lines can be removed with its entry.
// This is not so if the entry is the only one of its collection, or follows a dash on the same line.
func paths(value gjson.Result, path string, found map[string]bool) {
	if !value.IsArray() && !value.IsObject() {
		return
	}
	i := 0
	value.ForEach(func(key, child gjson.Result) bool {
		name := strings.NewReplacer("~", "~0", "/", "~1").Replace(key.String())
		if value.IsArray() {
			name = fmt.Sprint(i)
		}
		i++
		below := path + "/" + name
		count := len(value.Map())
		if value.IsArray() {
			count = len(value.Array())
		}
		found[below] = count > 1 && (value.IsArray() || name != "name")
		paths(child, below, found)
		return true
	})
}

func TestRemovingOnlyRemovesLinesInAnyBlockStyle(t *testing.T) {
	removed, byLines := 0, 0
	for seed := range uint64(100) {
		in, ended := anyPod(seed)
		before, err := kyaml.YAMLToJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		paths(gjson.GetBytes(before, "spec"), "/spec", found)
		paths(gjson.GetBytes(before, "metadata"), "/metadata", found)
		for path, wholeLines := range found {
			ops := []jsonpatch.Operation{jsonpatch.NewOperation("remove", path, nil)}
			out := rewritten(t, seed, in, before, ops)
			removed++
			// Text after a block scalar can become part of it. Such a document is encoded again.
			if wholeLines && ended && !strings.Contains(in, "|+") {
				byLines++
				if !onlyAdds(out, in) {
					t.Errorf("seed %d: %s: a line changed\n%s\n---\n%s", seed, path, in, out)
				}
			}
		}
	}
	if byLines < removed/5 {
		t.Errorf("only %d of %d entries were removed as whole lines", byLines, removed)
	}
}

func TestReplacingAndMovingInAnyBlockStyle(t *testing.T) {
	for seed := range uint64(200) {
		in, ended := anyPod(seed)
		before, err := kyaml.YAMLToJSON([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		containers := len(gjson.GetBytes(before, "spec.containers").Array())
		rewritten(t, seed, in, before, []jsonpatch.Operation{jsonpatch.NewOperation("replace", "/spec/containers",
			[]container{first})})
		rewritten(t, seed, in, before, []jsonpatch.Operation{jsonpatch.NewOperation("replace", "/metadata/annotations",
			map[string]string{"a": "b"})})
		out := rewritten(t, seed, in, before, []jsonpatch.Operation{jsonpatch.NewOperation("replace",
			fmt.Sprintf("/spec/containers/%d", containers-1), first)})
		moved := rewritten(t, seed, in, before, []jsonpatch.Operation{
			jsonpatch.NewOperation("remove", fmt.Sprintf("/spec/containers/%d", containers-1), nil),
			jsonpatch.NewOperation("add", "/spec/containers/0", first),
		})
		if !ended || strings.Contains(in, "|+") {
			continue
		}
		// The operations do not change the metadata, so its lines must stay.
		for _, out := range []string{out, moved} {
			for line := range strings.Lines(in) {
				if strings.Contains(line, "example.com/inject") && !strings.Contains(out, line) {
					t.Errorf("seed %d: line %q changed\n%s\n---\n%s", seed, line, in, out)
				}
			}
		}
	}
}

// rewritten returns in with operations applied, and compares it with the result of a JSON Patch library.
func rewritten(t *testing.T, seed uint64, in string, before []byte, ops []jsonpatch.Operation) string {
	t.Helper()
	out, err := rewriteKnown([]byte(in), func(Template) ([]jsonpatch.Operation, error) { return ops, nil })
	if err != nil {
		t.Fatalf("seed %d: %v: %v\n%s", seed, ops, err, in)
	}
	after, errAfter := kyaml.YAMLToJSON(out)
	want, errWant := patched(before, ops)
	if errAfter != nil || errWant != nil || !equalJSON(after, want) {
		t.Fatalf("seed %d: %v: differs from the result of the patch\n%s\n---\n%s", seed, ops, in, out)
	}
	return string(out)
}
