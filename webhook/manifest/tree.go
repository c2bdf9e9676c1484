package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"gomodules.xyz/jsonpatch/v2"
)

// tree is a document's nodes with operations applied. What the operations put in has Line 0, which tells it from what
// was there.
type tree struct {
	root *yaml.Node
	// replaced holds, for a new value under an old key or at an old index, the one that stood there.
	replaced map[*yaml.Node]*yaml.Node
	// expanded is set when aliases or merge keys were replaced by copies of what they stand for. Edits of the text
	// cannot do that.
	expanded bool
	layout   layout // of the document as it was
	// shared is nil if each node that changes becomes the only use of its anchor. Otherwise changes are made at the
	// anchor, for all that use it, and shared holds those that are made.
	shared map[change]string
}

// change is an operation on one node. Where several paths lead to the node, it is made once.
type change struct {
	parent                 *yaml.Node
	name, operation, value string
}

func newTree(root *yaml.Node) *tree {
	return &tree{root: root, replaced: map[*yaml.Node]*yaml.Node{}, layout: layoutOf(root)}
}

// apply carries out one operation.
func (t *tree) apply(op jsonpatch.Operation) error {
	if op.Operation != "add" && op.Operation != "replace" {
		return errors.New("only add, replace and remove are known")
	}
	names := namesOf(op.Path)
	if len(names) == 0 {
		return errors.New("cannot replace the whole document")
	}
	value, err := newNode(op.Value)
	if err != nil {
		return err
	}
	parent, err := t.parent(names[:len(names)-1])
	if err != nil {
		return err
	}
	name := names[len(names)-1]
	if t.isMade(change{parent, name, op.Operation, jsonText(value)}, op.Path) {
		return nil
	}
	switch parent.Kind {
	case yaml.MappingNode:
		return t.setKey(parent, name, value)
	case yaml.SequenceNode:
		return t.setItem(parent, name, value, op.Operation == "add")
	default:
		return errors.New("the parent is neither a mapping nor a sequence")
	}
}

// parent returns the collection at a path, ready to be changed.
func (t *tree) parent(names []string) (*yaml.Node, error) {
	slot, inFlow := t.unalias(&t.root.Content[0]), false
	for _, name := range names {
		n := *slot
		child := t.child(n, name)
		if child == nil {
			return nil, fmt.Errorf("%q is not there", name)
		}
		if slot, inFlow = t.unalias(child), isFlow(n); slot == nil {
			return nil, fmt.Errorf("%q is gone", name)
		}
	}
	if n := *slot; isFlow(n) && len(n.Content) == 0 && !inFlow {
		t.replace(slot, &yaml.Node{Kind: n.Kind, Tag: n.Tag}) // {} becomes a block
	}
	if n := *slot; n.Line == 0 {
		n.Style &^= yaml.FlowStyle
	}
	return *slot, nil
}

// goesBefore names the key that a new key goes in front of, because people read them in that order.
var goesBefore = map[string]string{"metadata": "spec", "labels": "annotations", "initContainers": "containers"}

func (t *tree) setKey(mapping *yaml.Node, name string, value *yaml.Node) error {
	if slot := t.child(mapping, name); slot != nil {
		return t.setValue(slot, value)
	}
	next := len(mapping.Content)
	if after, ok := goesBefore[name]; ok && childIndex(mapping, after) >= 0 {
		next = childIndex(mapping, after) - 1
	}
	mapping.Content = slices.Insert(mapping.Content, next, stringNode(name), value)
	return nil
}

func (t *tree) setItem(sequence *yaml.Node, name string, value *yaml.Node, add bool) error {
	i := len(sequence.Content)
	if name != "-" {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n > i || n == i && !add {
			return fmt.Errorf("no index %q in a sequence of %d", name, i)
		}
		i = n
	}
	if !add {
		return t.setValue(&sequence.Content[i], value)
	}
	sequence.Content = slices.Insert(sequence.Content, i, value)
	return nil
}

// setValue puts value in the place of a scalar or an empty collection.
func (t *tree) setValue(slot **yaml.Node, value *yaml.Node) error {
	if slot = t.unalias(slot); slot == nil {
		return errors.New("the anchor is gone")
	}
	if len((*slot).Content) > 0 {
		return errors.New("would overwrite a mapping or a sequence that is not empty")
	}
	t.replace(slot, value)
	return nil
}

func (t *tree) replace(slot **yaml.Node, value *yaml.Node) {
	old := *slot
	if before, ok := t.replaced[old]; ok {
		old = before
	}
	value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
	if old.Line > 0 {
		t.replaced[value] = old
	}
	*slot = value
}

// child returns where the value of a key or an index is, nil if it is nowhere. A merge key that gives the mapping the
// key is written out, or followed if changes are shared.
func (t *tree) child(n *yaml.Node, name string) **yaml.Node {
	if i := childIndex(n, name); i >= 0 {
		return &n.Content[i]
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	if t.shared != nil {
		return mergedChild(n, name)
	}
	t.expandMerge(n, name)
	if i := childIndex(n, name); i >= 0 {
		return &n.Content[i]
	}
	return nil
}

// childIndex returns where in n.Content the value of a key or an index is; -1 where there is none.
func childIndex(n *yaml.Node, name string) int {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == name {
				return i + 1
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return i
		}
	}
	return -1
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }
