package manifest

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// unalias makes sure that changing the node in slot changes nothing else: it replaces an alias by a copy of the
// anchored node, and all aliases of an anchored node by copies.
//
// If changes are shared, it returns the slot of the anchored node instead.
func (t *tree) unalias(slot **yaml.Node) **yaml.Node {
	n := *slot
	if n.Kind == yaml.AliasNode {
		if t.shared != nil {
			return slotOf(&t.root, n.Alias)
		}
		*slot, t.expanded = copyOf(n), true
		return slot
	}
	if n.Anchor == "" || t.shared != nil {
		return slot
	}
	aliased := false
	replaceAliases(t.root, n, &aliased)
	if aliased {
		n.Anchor, t.expanded = "", true
	}
	return slot
}

// isApplied reports whether a shared change was already applied through another path. If not, it records the change.
func (t *tree) isApplied(c change, path string) bool {
	if t.shared == nil {
		return false
	}
	if first, ok := t.shared[c]; ok {
		return first != path
	}
	t.shared[c] = path
	return false
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAlias)
}

// slotOf returns the slot that contains target, at or below the given slot.
func slotOf(slot **yaml.Node, target *yaml.Node) **yaml.Node {
	if *slot == target {
		return slot
	}
	for i := range (*slot).Content {
		if found := slotOf(&(*slot).Content[i], target); found != nil {
			return found
		}
	}
	return nil
}

// mergedChild returns the slot of a value that a mapping gets from a merge key, or nil if there is none.
func mergedChild(mapping *yaml.Node, name string) **yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Tag != "!!merge" {
			continue
		}
		sources := []*yaml.Node{mapping.Content[i+1]}
		if resolve(sources[0]).Kind == yaml.SequenceNode {
			sources = resolve(sources[0]).Content
		}
		for _, source := range sources {
			source = resolve(source)
			if i := childIndex(source, name); i >= 0 {
				return &source.Content[i]
			}
			if found := mergedChild(source, name); found != nil {
				return found
			}
		}
	}
	return nil
}

// replaceAliases replaces each alias of target below n by a copy.
func replaceAliases(n, target *yaml.Node, found *bool) {
	for i, child := range n.Content {
		if child.Kind == yaml.AliasNode && child.Alias == target {
			n.Content[i], *found = copyOf(child), true
		} else {
			replaceAliases(child, target, found)
		}
	}
}

// copyOf returns a deep copy without anchors: a second definition of an anchor would change later aliases.
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

// expandMerge replaces the merge keys of a mapping by their content if one of them provides the key name. The last of
// several entries with the same key counts, as in kubectl's parser.
func (t *tree) expandMerge(mapping *yaml.Node, name string) {
	merged := &yaml.Node{Kind: yaml.MappingNode}
	addMerged(merged, mapping)
	if childIndex(mapping, "<<") < 0 || childIndex(merged, name) < 0 {
		return
	}
	mapping.Content, t.expanded = merged.Content, true
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
			slices.Reverse(sources) // the first one takes precedence
		}
		for _, source := range sources {
			addMerged(to, copyNode(resolve(source)))
		}
	}
}
