package mutating

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/celtext"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// literals are the expressions that fill in variables, by the variables' names.
type literals map[string]string

// maxText bounds how much of an annotation the policies read: what MaxAssignments long lines need.
const maxText = 65536

func literalsOf(config Config, kubernetes uint) (literals, error) {
	container, err := config.Container()
	if err != nil {
		return nil, err
	}
	shapes, err := form.Shapes()
	if err != nil {
		return nil, err
	}
	containers, err := containerOf(shapes)
	if err != nil {
		return nil, err
	}
	version, err := celtext.Literal(config.Version)
	if err != nil {
		return nil, err
	}
	filled := literals{
		"form":              form.Chosen(),
		"container":         containers,
		"ipcNames":          "variables.settings.filter(s, " + ofScope(sysctl.IPC) + ")",
		"namespaceProblems": namespaceProblems(),
		"policyProblems":    policyProblems(config.Policies),
		"nameProblems":      nameProblems,
		"status": `'{"version":"' + ` + version + ` + '","kernel":"' + variables.kernel + '","form":"' + variables.form
+ '","sysctls":["' + variables.arguments.join('","') + '"]'
+ (variables.sources.size() == 0 ? '' : ',"from":{' + variables.sources.join(',') + '}') + '}'`,
	}
	for name, value := range map[string]any{
		"grammar": map[string]any{
			"assigned":    sysctl.Assigned,
			"ignored":     sysctl.Ignored,
			"number":      sysctl.WholeNumber,
			"directories": sysctl.InterfaceDirectories(),
			"names":       names(),
			"optional":    prefixes(sysctl.OptionalNames()),
			"devices":     devices(),
		},
		"limits": map[string]any{
			"text": maxText, "lines": sysctl.MaxAssignments, "arguments": sysctl.MaxContained,
			"profiles": policy.MaxProfiles,
			"name":     sysctl.MaxNameLength, "value": sysctl.MaxValueLength,
			"longValue": sysctl.MaxLongValueLength(),
			"longNames": slices.Sorted(maps.Keys(sysctl.LongValues)),
		},
		"profiles":    profiles(config.Profiles),
		"keys":        keys(),
		"configured":  configured(container),
		"podSecurity": podSecurity(shapes, kubernetes),
		"pullSecrets": append([]string{}, config.PullSecrets...),
		"known":       knownNames(config.Policies),
	} {
		if filled[name], err = celtext.Literal(value); err != nil {
			return nil, fmt.Errorf("variable %q: %w", name, err)
		}
	}
	if len(config.Profiles) == 0 {
		filled["profiles"] = noProfiles
	}
	handlers, err := celtext.Literal(append([]string{}, config.GuestHandlers...))
	if err != nil {
		return nil, err
	}
	filled["classKernel"] = fmt.Sprintf(
		"params.handler in %s\n|| params.metadata.?labels[?'%s'].orValue('') == '%s' ? '%s' : '%s'",
		handlers, v1alpha1.KernelLabel, v1alpha1.KernelLabelGuest, v1alpha1.GuestKernel, v1alpha1.SharedKernel)
	return filled, nil
}

// names returns the regular expressions of which a name in dot form matches one.
func names() []string {
	const word = `[A-Za-z0-9_-]+`
	var directories []string
	for _, directory := range sysctl.InterfaceDirectories() {
		directories = append(directories, regexp.QuoteMeta(directory))
	}
	return []string{
		`^[a-z0-9_]+(\.` + word + `)+$`,
		`^(` + strings.Join(directories, "|") + `)` + word + `(/` + word + `)*\.` + word + `$`,
	}
}

// devices matches the interfaces whose known parameters are known: those that the catalogue spells names out for, and
// their VLANs.
func devices() string {
	var all, tagged []string
	for _, name := range sysctl.Interfaces() {
		switch name {
		case "all", "default": // their names are spelled out
		case "lo":
			all = append(all, name)
		default:
			all, tagged = append(all, name), append(tagged, name)
		}
	}
	const vlan = `([1-9][0-9]{0,2}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-4])`
	return `^(` + strings.Join(all, "|") + `|(` + strings.Join(tagged, "|") + `)/` + vlan + `)$`
}

func prefixes(patterns []sysctl.Pattern) []string {
	all := make([]string, len(patterns))
	for i, pattern := range patterns {
		all[i], _ = pattern.Prefix()
	}
	return all
}

// keys returns the keys that a pod may have, and the values of those that have a choice.
func keys() map[string]any {
	var annotations, labels []string
	for _, key := range injection.PodKeys() {
		if key.Kind == "labels" {
			labels = append(labels, key.Key)
		} else {
			annotations = append(annotations, key.Key)
		}
	}
	return map[string]any{"annotations": annotations, "labels": labels, "values": map[string][]string{
		v1alpha1.InjectAnnotation: {"true", "false"}, v1alpha1.ModeAnnotation: injection.Modes(),
		v1alpha1.StrategyAnnotation: form.Strategies(),
	}}
}

// noProfiles is an empty map with the type that profiles have. The literal {} has no such type, and expressions that
// use it would not compile.
const noProfiles = "{'': variables.own}.transformMap(name, set, false, set)"

// profiles returns what each profile sets, as the variable "own" has it.
func profiles(all []*v1alpha1.SysctlProfile) map[string][]map[string]string {
	set := map[string][]map[string]string{}
	for _, object := range all {
		compiled, _ := policy.CompileProfile(object)
		assignments, _ := policy.NewSet(nil, []*policy.Profile{compiled}).Profile(object.Name)
		set[object.Name] = []map[string]string{}
		for _, a := range assignments {
			minus := ""
			if a.Optional {
				minus = "-"
			}
			set[object.Name] = append(set[object.Name], map[string]string{
				"where": fmt.Sprintf("profile %q, line %d", object.Name, a.Line), "from": "profile " + object.Name,
				"minus": minus, "sign": a.Operator.String(), "value": a.Value, "written": a.Name, "name": a.Name,
			})
		}
	}
	return set
}

func configured(container corev1.Container) map[string]any {
	resources := map[string]string{}
	for name, quantity := range container.Resources.Limits {
		resources[string(name)] = quantity.String()
	}
	return map[string]any{
		"image": container.Image, "imagePullPolicy": string(container.ImagePullPolicy), "resources": resources,
		"digest": "^" + form.Digest + "$",
	}
}

// podSecurity returns the values of Pod Security's label with which a shape is admitted, for shapes that some value
// rejects.
func podSecurity(shapes []form.Shape, kubernetes uint) map[string][]string {
	admitted := map[string][]string{}
	for _, shape := range shapes {
		level := shape.PodSecurity(kubernetes)
		if !form.IsRejected(level, "restricted") {
			continue
		}
		for _, label := range []string{"", "privileged", "baseline"} {
			if !form.IsRejected(level, label) {
				admitted[shape.Name] = append(admitted[shape.Name], label)
			}
		}
	}
	return admitted
}

// containerOf returns the expression for the container. The variable "shape" says which template it is, and
// "scripted" which command.
func containerOf(shapes []form.Shape) (string, error) {
	cases := make([]celtext.Case, len(shapes))
	for i, shape := range shapes {
		container := maps.Clone(shape.Container)
		container["image"] = celtext.Expression("variables.image")
		container["imagePullPolicy"] = celtext.Expression("variables.imagePullPolicy")
		container["args"] = celtext.Expression("variables.arguments")
		container["resources"] = celtext.Optional("variables.resources")
		container["volumeMounts"] = celtext.Optional("variables.volumeMounts")
		container["command"] = shape.CommandField(func(c *form.Command) any { return c.Words })
		security := maps.Clone(shape.Container["securityContext"].(map[string]any))
		if _, stated := security["procMount"]; !stated {
			security["procMount"] = celtext.Optional("variables.procMount")
		}
		container["securityContext"] = security
		literal, err := celtext.Literal(container)
		if err != nil {
			return "", fmt.Errorf("the shape %q: %w", shape.Name, err)
		}
		cases[i] = celtext.Case{Value: shape.Name, Literal: literal}
	}
	return celtext.Select("shape", cases...), nil
}
