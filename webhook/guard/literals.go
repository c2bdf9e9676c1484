package guard

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/celtext"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// varying are the fields of the container that differ between pods. The guard has an expression for each of them.
var varying = []string{"name", "image", "imagePullPolicy", "command", "args", "resources", "securityContext"}

// literalsOf returns the expressions that fill in variables, by the variables' names.
func literalsOf(config Config, kubernetes minor) (map[string]string, error) {
	shapes, err := form.Shapes()
	if err != nil {
		return nil, err
	}
	fixed, err := pickOf(shapes, func(shape form.Shape) any {
		fixed := maps.Clone(shape.Container)
		maps.DeleteFunc(fixed, func(name string, _ any) bool { return slices.Contains(varying, name) })
		return fixed
	})
	if err != nil {
		return nil, err
	}
	privileges, err := pickOf(shapes, func(shape form.Shape) any { return shape.Container["securityContext"] })
	if err != nil {
		return nil, err
	}
	commands, err := pickOf(shapes, func(shape form.Shape) any {
		return shape.CommandField(func(c *form.Command) any { return c.Words })
	})
	if err != nil {
		return nil, err
	}
	arguments, err := pickOf(shapes, func(shape form.Shape) any {
		return shape.CommandField(func(c *form.Command) any { return c.Argument })
	})
	if err != nil {
		return nil, err
	}
	literals := map[string]string{
		"fixed": fixed, "privileges": privileges, "command": commands, "argument": arguments, "nodeNames": nodeNames(),
		"form": form.Claimed(),
	}
	for name, value := range map[string]any{
		"reserved":      v1alpha1.ContainerName,
		"hostOnly":      hostOnly(),
		"images":        config.Images,
		"digest":        "^" + form.Digest + "$",
		"limits":        limits(),
		"places":        indices(100),
		"guestHandlers": append([]string{}, config.GuestHandlers...),

		"kubeletSysctls":            append([]string{}, config.KubeletSysctls...),
		"safeSysctls":               safeSysctls(kubernetes),
		"restrictedVolumes_allowed": at(kubernetes, restrictedVolumes),
		"trustsUserNamespaces":      kubernetes >= userNamespacesTrusted,
	} {
		literal, err := celtext.Literal(value)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
		literals[name] = literal
	}
	return literals, nil
}

// pickOf returns the expression for one field of a container's shape. The variable "form" selects one of several
// shapes, so that the costs of the forms do not add up. The last shape is the one for any other value of "form".
func pickOf(shapes []form.Shape, field func(form.Shape) any) (string, error) {
	if len(shapes) == 0 {
		return "", errors.New("there is no form")
	}
	cases := make([]celtext.Case, len(shapes))
	for i, shape := range shapes {
		literal, err := celtext.Literal(field(shape))
		if err != nil {
			return "", fmt.Errorf("the shape %q: %w", shape.Name, err)
		}
		cases[i] = celtext.Case{Value: shape.Name, Literal: literal}
	}
	return celtext.Select("form", cases...), nil
}

// nodeNames returns the expression for the names that no namespace isolates, from the scopes of package sysctl.
func nodeNames() string {
	terms := []string{}
	for _, pattern := range sysctl.Namespaced() {
		if prefix, ok := pattern.Prefix(); ok {
			terms = append(terms, "!n.startsWith('"+prefix+"')")
		} else {
			terms = append(terms, "n != '"+pattern.String()+"'")
		}
	}
	expression := "variables.names.filter(n, "
	line := len(expression)
	for i, term := range terms {
		switch {
		case i == 0:
		case line+len(" && ")+len(term) > maxLine:
			expression += "\n&& "
			line = len("&& ")
		default:
			expression += " && "
			line += len(" && ")
		}
		expression += term
		line += len(term)
	}
	return expression + ")"
}

// maxLine is how long a line of a generated expression may be, for those who read the manifest.
const maxLine = 120

// hostOnly returns the names of network scope that a pod on a shared kernel cannot set. Patterns are left out: no
// pod's network namespace has their names, so setting one can only fail.
func hostOnly() []string {
	var names []string
	for entry := range sysctl.Known() {
		if entry.HostOnly != nil {
			names = append(names, entry.Name)
		}
	}
	return names
}

func limits() map[string]any {
	return map[string]any{
		"arguments": sysctl.MaxContained, "name": sysctl.MaxNameLength, "value": sysctl.MaxValueLength,
		"longNames": slices.Sorted(maps.Keys(sysctl.LongValues)),
		"longValue": sysctl.MaxLongValueLength(),
	}
}

func indices(count int) []int {
	list := make([]int, count)
	for i := range list {
		list[i] = i
	}
	return list
}

// sortedOf returns the expression for the distinct values of a list in order. CEL has a function for that only since
// Kubernetes 1.34. The expression keeps the first occurrence of each value, and then for each index the value with
// that many smaller ones. That takes cubic time, so more than 40 values stay in the order of the list.
func sortedOf(list string) string {
	return "[variables." + list + "]\n" +
		".map(l, variables.places.filter(i, i < l.size() && l.indexOf(l[i]) == i).map(i, l[i]))\n" +
		".map(l, l.size() > 40 ? l : variables.places.filter(i, i < l.size())" +
		".map(i, l.filter(x, l.filter(y, y < x).size() == i)[0]))[0]"
}
