package convert

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Place is a place in an object that sets sysctls and that is only reported, not changed: a container in a custom
// resource or in the values of a chart, or a script in a ConfigMap.
type Place struct {
	// Path is the path within the object.
	Path []string
	// Finding describes the container or the script.
	Finding Finding
	// What names the kind of place for a person: "a script".
	What string
}

// Elsewhere finds containers by their fields, scripts, and settings of charts in an object, except below the paths in
// skip. isAllowed reports whether all kubelets allow a native sysctl.
func Elsewhere(object []byte, skip [][]string, isAllowed func(name string) bool) []Place {
	var value any
	if err := json.Unmarshal(object, &value); err != nil {
		return nil
	}
	s := search{skip: skip, isAllowed: isAllowed}
	s.walk(value, nil)
	return s.places
}

type search struct {
	skip      [][]string
	isAllowed func(name string) bool
	places    []Place
}

// ignored are keys whose values do not run.
var ignored = []string{
	"kubectl.kubernetes.io/last-applied-configuration", "managedFields", "openAPIV3Schema", "description",
}

func (s *search) walk(value any, path []string) {
	if slices.ContainsFunc(s.skip, func(skipped []string) bool { return slices.Equal(skipped, path) }) {
		return
	}
	if len(path) > 0 && (slices.Contains(ignored, path[len(path)-1]) ||
		strings.HasPrefix(path[len(path)-1], v1alpha1.GroupName+"/")) {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		if s.container(v, path) {
			return
		}
		s.chartSwitch(v, path)
		s.list(v, path)
		s.secret(v, path)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.walk(v[key], append(slices.Clip(path), key))
		}
	case []any:
		if s.command(v, path) {
			return
		}
		for i, item := range v {
			s.walk(item, append(slices.Clip(path), strconv.Itoa(i)))
		}
	case string:
		if !s.document(v, path) {
			s.script(v, path)
		}
	}
}

// document searches a text that is YAML: the values of a chart in another object, or a patch. It reports findings with
// the path of the text.
func (s *search) document(text string, path []string) bool {
	if !strings.Contains(text, "\n") || !strings.Contains(strings.ToLower(text), "sysctl") &&
		!strings.Contains(text, "proc/sys") {
		return false
	}
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return false
	}
	var value any
	if err := json.Unmarshal(encoded, &value); err != nil {
		return false
	}
	if _, isText := value.(string); isText {
		return false
	}
	within := search{isAllowed: s.isAllowed}
	within.walk(value, nil)
	for _, p := range within.places {
		p.What = fmt.Sprintf("%s in this text, at %s", p.What, workload.FieldPath(p.Path))
		p.Path, p.Finding = path, p.Finding.withoutLines()
		s.places = append(s.places, p)
	}
	return len(within.places) > 0
}

// withoutLines returns a finding without line numbers, because they would not be those of the file.
func (f Finding) withoutLines() Finding {
	f.Script, f.Notes, f.Problems = nil, slices.Clone(f.Notes), slices.Clone(f.Problems)
	for i := range f.Notes {
		f.Notes[i].Line = 0
	}
	for i := range f.Problems {
		f.Problems[i].Line = 0
	}
	return f
}

// secret searches the data of a Secret, which is base64-encoded.
func (s *search) secret(value map[string]any, path []string) {
	data, ok := value["data"].(map[string]any)
	if !ok || value["kind"] != "Secret" {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		encoded, _ := data[key].(string)
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			continue
		}
		within := search{isAllowed: s.isAllowed}
		within.script(string(text), append(slices.Clip(path), "data", key))
		for _, p := range within.places {
			p.Finding = p.Finding.withoutLines()
			s.places = append(s.places, p)
		}
	}
}

// container recognizes a container: a mapping with an image or a name, and a command or a security context.
func (s *search) container(value map[string]any, path []string) bool {
	_, hasImage := value["image"]
	_, hasName := value["name"]
	_, hasContext := value["securityContext"]
	_, hasCommand := value["command"]
	_, hasArgs := value["args"]
	isNamed, runs := hasImage || hasName, hasContext || hasCommand || hasArgs
	if !isNamed || !runs {
		return false
	}
	if _, isText := value["image"].(string); hasImage && !isText { // a chart's image is often a mapping
		value = maps.Clone(value)
		delete(value, "image")
	}
	encoded, err := json.Marshal(value)
	var c corev1.Container
	if err != nil || json.Unmarshal(encoded, &c) != nil {
		return false
	}
	template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{InitContainers: []corev1.Container{c}}}
	found := inspectContainer(template, &c, Kernel{})
	if found == nil {
		return false
	}
	what := "a container"
	if isPrivileged(&c) {
		what = "a privileged container"
	}
	s.places = append(s.places, Place{path, *found, what})
	return true
}

// command recognizes a command line outside a container, as in the values of a chart.
func (s *search) command(value []any, path []string) bool {
	words := make([]string, len(value))
	for i, item := range value {
		word, ok := item.(string)
		if !ok {
			return false
		}
		words[i] = word
	}
	if len(words) < 2 || !sysctlMention.MatchString(strings.Join(words, " ")) {
		return false
	}
	c := corev1.Container{Command: words}
	found := &Finding{}
	settingOf(&corev1.PodTemplateSpec{}, &c, Kernel{}).analyze(&c, found)
	s.places = append(s.places, Place{path, *found, "a command"})
	return true
}

// script recognizes a text with commands that set sysctls.
func (s *search) script(value string, path []string) {
	if !setsSysctls.MatchString(value) {
		return
	}
	c := corev1.Container{Command: []string{"sh", "-c", value}}
	if strings.HasPrefix(value, "#!") && strings.Contains(strings.SplitN(value, "\n", 2)[0], "bash") {
		c.Command[0] = "bash"
	}
	found := &Finding{}
	settingOf(&corev1.PodTemplateSpec{}, &c, Kernel{}).analyze(&c, found)
	found.Script = []string{}
	s.places = append(s.places, Place{path, *found, "a script"})
}

// setsSysctls matches a command in a text that sets a sysctl. It does not match a mere mention.
var setsSysctls = regexp.MustCompile(`(^|[^\w.-])sysctl\s+(-\S+\s+)*["']?[\w./-]+\s*=` + "|" +
	`(^|[^\w.-])sysctl\s+(-\S+\s+)*(-\w*p\b|--load|--system)` + "|" + `(>|\btee\s+(-a\s+)?)\s*\S*proc/sys/`)

// switches matches the names of chart values that make a chart create a container that sets sysctls.
var switches = regexp.MustCompile(`(?i)sysctl|setMaxMapCount|setVmMaxMapCount|maxMapCount`)

func (s *search) chartSwitch(value map[string]any, path []string) {
	for _, key := range slices.Sorted(maps.Keys(value)) {
		if !switches.MatchString(key) || strings.Contains(key, "/") {
			continue
		}
		on, _ := value[key].(bool)
		if below, ok := value[key].(map[string]any); ok {
			enabled, _ := below["enabled"].(bool)
			create, _ := below["create"].(bool)
			on = enabled || create
		}
		if !on {
			continue
		}
		s.places = append(s.places, Place{
			Path: append(slices.Clip(path), key),
			Finding: Finding{Problems: []Problem{{0,
				"the chart creates its own container that sets sysctls; look at the output of `helm template`"}}},
			What: fmt.Sprintf("a chart setting, %s", key),
		})
	}
}

// list recognizes a list of sysctls that an operator or a chart sets, and the unsafe names in a pod's list of native
// sysctls.
func (s *search) list(value map[string]any, path []string) {
	isNative := len(path) > 0 && strings.HasSuffix(path[len(path)-1], "ecurityContext")
	for _, key := range slices.Sorted(maps.Keys(value)) {
		if !strings.Contains(strings.ToLower(key), "sysctl") || strings.Contains(key, "/") {
			continue
		}
		items, _ := value[key].([]any)
		if byName, ok := value[key].(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(byName)) {
				items = append(items, name)
			}
		}
		var names []string
		for _, item := range items {
			word, _ := item.(string)
			if pair, ok := item.(map[string]any); ok {
				word, _ = pair["name"].(string)
			}
			name, _, _ := strings.Cut(word, "=")
			name = strings.TrimSpace(name)
			if !strings.Contains(name, ".") || isNative && s.isAllowed(sysctl.Dotted(name)) {
				continue
			}
			if since := sysctl.Lookup(sysctl.Dotted(name)).SafeSince; isNative && since != "" {
				name += " (safe since Kubernetes " + since + ")"
			}
			names = append(names, name)
		}
		if len(names) == 0 {
			continue
		}
		reason, what := "an operator or a chart sets these itself: ", "a list of sysctls"
		if isNative {
			reason = "kubelets reject these unless --allowed-unsafe-sysctls includes them, or an operator sets them " +
				"with its own container: "
			what = "native sysctls"
		}
		s.places = append(s.places, Place{Path: append(slices.Clip(path), key), What: what,
			Finding: Finding{Problems: []Problem{{0, reason + strings.Join(names, ", ")}}}})
	}
}

// Mentions returns the lines of a text that mention sysctls, counted from 1. It is for files that cannot be parsed.
func Mentions(text string) []int {
	var lines []int
	for i, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "#") && sysctlMention.MatchString(line) {
			lines = append(lines, i+1)
		}
	}
	return lines
}
