package manifest

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	"gomodules.xyz/jsonpatch/v2"
)

// errUneditable means that neither editing the text nor encoding the document again gives the right result.
var errUneditable = errors.New("this document cannot be edited without changing something else; " +
	"write its pod template in block style, without anchors and merge keys")

// edited applies operations to the document's text, in steps. Consecutive operations that only add are one step. Each
// other operation is its own step, because it needs the positions in the current text.
func (d *document) edited(ops []jsonpatch.Operation) (string, error) {
	now := d
	for {
		step, rest := now.nextStep(ops)
		text, err := now.apply(step)
		if err != nil || len(rest) == 0 {
			return text, err
		}
		s, err := read([]byte(text))
		if err != nil {
			return "", err
		}
		if len(s.documents) != 1 {
			return "", errUneditable
		}
		now, ops = s.documents[0], rest
	}
}

// step is one change of a text: additions, or one removal.
type step struct {
	ops     []jsonpatch.Operation
	removal *pointerTo
}

// pointerTo is the value that a step removes.
type pointerTo struct {
	names []string
	empty bool // leave an empty collection
}

// nextStep returns the first step of ops and the remaining operations. To replace a collection, one step empties or
// removes the old one, and the next step adds the new one.
func (d *document) nextStep(ops []jsonpatch.Operation) (step, []jsonpatch.Operation) {
	for i, op := range ops {
		old, inSequence := d.collectionAt(op)
		if op.Operation != "remove" && old == nil {
			continue
		}
		if i > 0 {
			return step{ops: ops[:i]}, ops[i:]
		}
		rest := ops[1:]
		names := namesOf(op.Path)
		first := jsonpatch.NewOperation("remove", op.Path, nil)
		if op.Operation == "replace" {
			rest = append([]jsonpatch.Operation{jsonpatch.NewOperation("add", op.Path, op.Value)}, rest...)
			if !inSequence {
				first = jsonpatch.NewOperation("replace", op.Path, emptyLike(old))
				return step{[]jsonpatch.Operation{first}, &pointerTo{names, true}}, rest
			}
		}
		return step{[]jsonpatch.Operation{first}, &pointerTo{names, false}}, rest
	}
	return step{ops: ops}, nil
}

// collectionAt returns the non-empty collection that an operation replaces, or nil if there is none.
func (d *document) collectionAt(op jsonpatch.Operation) (old *yaml.Node, inSequence bool) {
	if op.Operation != "replace" || d.root == nil {
		return nil, false
	}
	n := resolve(d.root.Content[0])
	for _, name := range namesOf(op.Path) {
		i := childIndex(n, name)
		if i < 0 {
			return nil, false
		}
		inSequence = n.Kind == yaml.SequenceNode
		n = resolve(n.Content[i])
	}
	if len(n.Content) == 0 {
		return nil, false
	}
	return n, inSequence
}

func emptyLike(n *yaml.Node) any {
	if n.Kind == yaml.SequenceNode {
		return []any{}
	}
	return map[string]any{}
}

// apply returns the document's text with one step applied, after comparing the result with the expected value.
func (d *document) apply(s step) (string, error) {
	want, err := patched(d.json, s.ops)
	if err != nil {
		return "", err
	}
	if text, ok := d.applyAtAnchors(s, want); ok {
		return text, nil
	}
	t := newTree(d.root)
	splice := func() (string, bool) { return d.splice(t) }
	if s.removal != nil {
		entry, err := t.find(s.removal.names)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.ops[0].Operation, err)
		}
		text, ok := d.cutOut(t, s.removal.names, s.removal.empty)
		entry.drop(s.removal.empty)
		splice = func() (string, bool) { return text, ok }
	} else {
		for _, op := range s.ops {
			if err := t.apply(op); err != nil {
				return "", fmt.Errorf("%s %s: %w", op.Operation, op.Path, err)
			}
		}
	}
	if text, ok := splice(); ok && d.reads(text, want) {
		return text, nil
	}
	for range 2 {
		text, ok := d.reencode(t)
		// A block scalar at the end of a document needs a line end.
		for _, end := range []string{"", d.lineEnds("\n")} {
			if ok && d.reads(text+end, want) {
				return text + end, nil
			}
		}
		flattenFlow(t.root, false) // the encoder gets a block inside a flow collection wrong
	}
	return "", errUneditable
}

// applyAtAnchors applies a step that only adds, in a document with anchors: it changes the anchored node, and so all
// its aliases. ok is false if the result is not what the step asks for.
func (d *document) applyAtAnchors(s step, want []byte) (string, bool) {
	if s.removal != nil || d.root == nil || !hasAlias(d.root) {
		return "", false
	}
	again, err := parse(d.chunk) // a copy, since the tree changes its nodes
	if err != nil {
		return "", false
	}
	t := newTree(again.root)
	t.shared = map[change]string{}
	for _, op := range s.ops {
		if t.apply(op) != nil {
			return "", false
		}
	}
	text, ok := again.splice(t)
	return text, ok && d.reads(text, want)
}

// namesOf splits a JSON Pointer (RFC 6901).
func namesOf(path string) []string {
	names := strings.Split(path, "/")[1:]
	for i, name := range names {
		names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	return names
}
