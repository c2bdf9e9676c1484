package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"gomodules.xyz/jsonpatch/v2"
)

// tree holds the nodes of a document with operations applied. New nodes have Line 0.
type tree struct {
	root *yaml.Node
	// replaced maps a new value under an old key or index to the old value.
	replaced map[*yaml.Node]*yaml.Node
	// expanded is set if aliases or merge keys were replaced by copies of their content. Text edits cannot do that.
	expanded bool
	layout   layout // of the original document
	// shared is nil if an operation changes one use of an anchor only, as a copy. Otherwise operations change the
	// anchored node and all its aliases, and shared maps each change that was applied to the path of its operation.
	shared map[change]string
}

// change is an operation on one node. If several paths lead to the node, it is applied once.
type change struct {
	parent                 *yaml.Node
	name, operation, value string
}

func newTree(root *yaml.Node) *tree {
	return &tree{root: root, replaced: map[*yaml.Node]*yaml.Node{}, layout: layoutOf(root)}
}

// apply applies one operation.
func (t *tree) apply(op jsonpatch.Operation) error {
	if op.Operation != "add" && op.Operation != "replace" {
		return errors.New("only add, replace and remove are supported")
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
	if t.isApplied(change{parent, name, op.Operation, jsonText(value)}, op.Path) {
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
			return nil, fmt.Errorf("%q does not exist", name)
		}
		if slot, inFlow = t.unalias(child), isFlow(n); slot == nil {
			return nil, fmt.Errorf("the anchor of %q does not exist any more", name)
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

// goesBefore maps a new key to the key before which it is inserted, for the usual order.
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

// setValue replaces a scalar or an empty collection.
func (t *tree) setValue(slot **yaml.Node, value *yaml.Node) error {
	if slot = t.unalias(slot); slot == nil {
		return errors.New("the anchor does not exist any more")
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

// child returns the slot of the value at a key or an index, or nil if there is none. If a merge key provides the key,
// child expands the merge key, or follows it if changes are shared.
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

// childIndex returns the index in n.Content of the value at a key or an index, or -1 if there is none.
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
