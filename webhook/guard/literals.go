package guard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// argument is the form of an injected argument, an assignment as package sysctl writes it (a test compares the two). Lengths
// are not told here: they would make the expression as long as what it matches, and as costly.
const argument = `^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+=[A-Za-z0-9_,:./+-]+( [A-Za-z0-9_,:./+-]+)*$`

// differs are the fields of the container that are not the same in every pod. The guard has expressions for each of them.
var differs = []string{"name", "image", "imagePullPolicy", "args", "resources", "securityContext"}

// literalsOf returns the CEL literals, by the names of the variables that they fill in.
func literalsOf(config Config, kubernetes minor) (map[string]string, error) {
	var container map[string]any
	if err := yaml.Unmarshal(templates.Container, &container); err != nil {
		return nil, fmt.Errorf("decode template container.yaml: %w", err)
	}
	fixed := maps.Clone(container)
	maps.DeleteFunc(fixed, func(name string, _ any) bool { return slices.Contains(differs, name) })

	literals := map[string]string{}
	for name, value := range map[string]any{
		"reserved":      container["name"],
		"hostOnly":      hostOnly(),
		"images":        config.Images,
		"fixed":         fixed,
		"privileges":    container["securityContext"],
		"argument":      argument,
		"limits":        map[string]any{"arguments": sysctl.MaxAssignments, "name": sysctl.MaxNameLength, "value": sysctl.MaxValueLength},
		"places":        places(100),
		"guestHandlers": append([]string{}, config.GuestHandlers...),

		"safeSysctls":               safeSysctls(kubernetes),
		"restrictedVolumes_allowed": at(kubernetes, restrictedVolumes),
		"trustsUserNamespaces":      kubernetes >= userNamespacesTrusted,
	} {
		literal, err := literalOf(value)
		if err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
		literals[name] = literal
	}
	return literals, nil
}

// hostOnly returns the names of network scope that are not for a pod on a shared kernel. Patterns are left out: they
// are of names that no pod's network namespace has, so that setting one can only fail.
func hostOnly() []string {
	var names []string
	for entry := range sysctl.Known() {
		if entry.HostOnly != nil {
			names = append(names, entry.Name)
		}
	}
	return names
}

func places(count int) []int {
	list := make([]int, count)
	for i := range list {
		list[i] = i
	}
	return list
}

// sortedOf returns the expression for what is in a list, each value once and in order, for which CEL has a function only since
// Kubernetes 1.34. It takes what is at a place and at none before, and then for each place the value that so many others
// are less than. As that is cubic, more than 40 values are left in the order in which they were found.
func sortedOf(list string) string {
	return "[variables." + list + "]\n" +
		".map(l, variables.places.filter(i, i < l.size() && l.indexOf(l[i]) == i).map(i, l[i]))\n" +
		".map(l, l.size() > 40 ? l : variables.places.filter(i, i < l.size())" +
		".map(i, l.filter(x, l.filter(y, y < x).size() == i)[0]))[0]"
}

// literalOf writes plain data in CEL, of which JSON is a part but for one thing: the values of a map have to be of one type, and
// dyn() makes them so.
func literalOf(value any) (string, error) {
	object, isMap := value.(map[string]any)
	if !isMap {
		text, err := json.Marshal(value)
		return string(text), err
	}
	fields := make([]string, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		key, err := literalOf(name)
		if err != nil {
			return "", err
		}
		field, err := literalOf(object[name])
		if err != nil {
			return "", err
		}
		fields = append(fields, key+": dyn("+field+")")
	}
	return "{" + strings.Join(fields, ", ") + "}", nil
}
