package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
	"gomodules.xyz/jsonpatch/v2"
)

// tree is a document's nodes with operations applied. What the operations put in has Line 0, which tells it from what was there.
type tree struct {
	root *yaml.Node
	// replaced holds, for a new value under an old key or at an old index, the one that stood there.
	replaced map[*yaml.Node]*yaml.Node
	// reshaped is set when more has changed than nodes put in, so that the text cannot be had by adding to the old one.
	reshaped bool
	layout   layout // of the document as it was
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
	slot, inFlow := &t.root.Content[0], false
	t.own(slot)
	for _, name := range names {
		n := *slot
		i := childIndex(n, name)
		if i < 0 && n.Kind == yaml.MappingNode {
			t.expandMerge(n, name)
			i = childIndex(n, name)
		}
		if i < 0 {
			return nil, fmt.Errorf("%q is not there", name)
		}
		slot, inFlow = &n.Content[i], isFlow(n)
		t.own(slot)
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
	i := childIndex(mapping, name)
	if i < 0 {
		t.expandMerge(mapping, name)
		i = childIndex(mapping, name)
	}
	if i >= 0 {
		return t.setValue(&mapping.Content[i], value)
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
	t.own(slot)
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

// own makes the node in slot the document's only use of it, so that changing it changes nothing else: an alias gives way to a copy of
// what it stands for, and the aliases of an anchored node to copies of that.
func (t *tree) own(slot **yaml.Node) {
	n := *slot
	if n.Kind == yaml.AliasNode {
		*slot, t.reshaped = copyOf(n), true
		return
	}
	if n.Anchor == "" {
		return
	}
	aliased := false
	replaceAliases(t.root, n, &aliased)
	if aliased {
		n.Anchor, t.reshaped = "", true
	}
}

// replaceAliases puts a copy in the place of each alias of target below n.
func replaceAliases(n, target *yaml.Node, found *bool) {
	for i, child := range n.Content {
		if child.Kind == yaml.AliasNode && child.Alias == target {
			n.Content[i], *found = copyOf(child), true
		} else {
			replaceAliases(child, target, found)
		}
	}
}

// copyOf returns a deep copy, without the anchors: a second definition would change what later aliases mean.
func copyOf(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		c := copyNode(n.Alias)
		c.HeadComment, c.LineComment, c.FootComment = n.HeadComment, n.LineComment, n.FootComment
		return c
	}
	return copyNode(n)
}

func copyNode(n *yaml.Node) *yaml.Node {
	c := *n
	c.Anchor, c.Content = "", make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = copyNode(child)
	}
	return &c
}

// expandMerge writes out the merge keys of a mapping when one of them gives it the key name. Of pairs with the same key the
// last one counts, as in the parser that kubectl uses.
func (t *tree) expandMerge(mapping *yaml.Node, name string) {
	merged := &yaml.Node{Kind: yaml.MappingNode}
	addMerged(merged, mapping)
	if childIndex(mapping, "<<") < 0 || childIndex(merged, name) < 0 {
		return
	}
	mapping.Content, t.reshaped = merged.Content, true
}

func addMerged(to, from *yaml.Node) {
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		if key.Tag != "!!merge" {
			if at := childIndex(to, key.Value); at >= 0 {
				to.Content[at] = value
			} else {
				to.Content = append(to.Content, key, value)
			}
			continue
		}
		sources := []*yaml.Node{value}
		if resolve(value).Kind == yaml.SequenceNode {
			sources = slices.Clone(resolve(value).Content)
			slices.Reverse(sources) // the first one counts most
		}
		for _, source := range sources {
			addMerged(to, copyNode(resolve(source)))
		}
	}
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
