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

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Place is something about sysctls in an object where nothing is changed: a container in a custom resource or in the
// values of a chart, or a script in a ConfigMap.
type Place struct {
	// Path leads to it within the object.
	Path []string
	// Finding is what is known about the container, or about the script.
	Finding Finding
	// What says what it is.
	What string
}

// Elsewhere finds containers by their shape, scripts, and switches of charts, anywhere in an object but below the
// paths in skip.
func Elsewhere(object []byte, skip [][]string) []Place {
	var value any
	if err := json.Unmarshal(object, &value); err != nil {
		return nil
	}
	s := search{skip: skip}
	s.look(value, nil)
	return s.places
}

type search struct {
	skip   [][]string
	places []Place
}

// ignored are keys below which is nothing that runs.
var ignored = []string{"kubectl.kubernetes.io/last-applied-configuration", "managedFields", "openAPIV3Schema", "description"}

func (s *search) look(value any, path []string) {
	if slices.ContainsFunc(s.skip, func(skipped []string) bool { return slices.Equal(skipped, path) }) {
		return
	}
	if len(path) > 0 && (slices.Contains(ignored, path[len(path)-1]) ||
		strings.HasPrefix(path[len(path)-1], "sysctl-injector.dev/")) {
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
			s.look(v[key], append(slices.Clip(path), key))
		}
	case []any:
		if s.command(v, path) {
			return
		}
		for i, item := range v {
			s.look(item, append(slices.Clip(path), strconv.Itoa(i)))
		}
	case string:
		if !s.document(v, path) {
			s.script(v, path)
		}
	}
}

// document looks into a text that is YAML: the values of a chart in another object, or a patch. It reports what is
// found at the text itself.
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
	within := search{}
	within.look(value, nil)
	for _, p := range within.places {
		p.What = fmt.Sprintf("%s in this text, at %s", p.What, workload.FieldPath(p.Path))
		p.Path, p.Finding = path, p.Finding.withoutLines()
		s.places = append(s.places, p)
	}
	return len(within.places) > 0
}

// withoutLines returns a finding whose lines cannot be told in the file.
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

// secret looks into the data of a Secret, which is encoded.
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
		within := search{}
		within.script(string(text), append(slices.Clip(path), "data", key))
		for _, p := range within.places {
			p.Finding = p.Finding.withoutLines()
			s.places = append(s.places, p)
		}
	}
}

// container recognizes a container by its image or name together with a command or a security context.
func (s *search) container(value map[string]any, path []string) bool {
	_, hasImage := value["image"]
	_, hasName := value["name"]
	_, hasContext := value["securityContext"]
	_, hasCommand := value["command"]
	_, hasArgs := value["args"]
	if !(hasImage || hasName) || !(hasContext || hasCommand || hasArgs) {
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

// command recognizes a command line that stands for itself, as in the values of a chart.
func (s *search) command(value []any, path []string) bool {
	words := make([]string, len(value))
	for i, item := range value {
		word, ok := item.(string)
		if !ok {
			return false
		}
		words[i] = word
	}
	if len(words) < 2 || !speaksOfSysctls.MatchString(strings.Join(words, " ")) {
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

// setsSysctls matches a command in a text that sets a sysctl, and not one in passing.
var setsSysctls = regexp.MustCompile(`(^|[^\w.-])sysctl\s+(-\S+\s+)*["']?[\w./-]+\s*=` + "|" +
	`(^|[^\w.-])sysctl\s+(-\S+\s+)*(-\w*p\b|--load|--system)` + "|" + `(>|\btee\s+(-a\s+)?)\s*\S*proc/sys/`)

// switches match the values by which charts make such a container themselves.
var switches = regexp.MustCompile(`(?i)sysctl|setMaxMapCount|setVmMaxMapCount|maxMapCount`)

func (s *search) chartSwitch(value map[string]any, path []string) {
	for _, key := range slices.Sorted(maps.Keys(value)) {
		if !switches.MatchString(key) || strings.Contains(key, "/") {
			continue
		}
		on := value[key] == true
		if below, ok := value[key].(map[string]any); ok {
			on = below["enabled"] == true || below["create"] == true
		}
		if !on {
			continue
		}
		s.places = append(s.places, Place{
			Path: append(slices.Clip(path), key),
			Finding: Finding{Problems: []Problem{{0,
				"the chart makes a container of its own that sets sysctls; look at what `helm template` prints"}}},
			What: fmt.Sprintf("a switch of a chart, %s", key),
		})
	}
}

// list recognizes a list of sysctls that an operator or a chart sets, and of a pod's own list, which is native, the
// names that are unsafe.
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
			if name = strings.TrimSpace(name); strings.Contains(name, ".") &&
				!(isNative && sysctl.Lookup(sysctl.Dotted(name)).SafeSince != "") {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			continue
		}
		reason, what := "an operator or a chart sets these itself: ", "a list of sysctls"
		if isNative {
			reason, what = "kubelets reject these unless --allowed-unsafe-sysctls has them, or an operator sets them by a container of its own: ", "native sysctls"
		}
		s.places = append(s.places, Place{
			Path: append(slices.Clip(path), key), What: what, Finding: Finding{Problems: []Problem{{0,
				reason + strings.Join(names, ", ")}}},
		})
	}
}

// Mentions returns the lines of a text, counted from 1, that speak of sysctls. It is for files that cannot be read.
func Mentions(text string) []int {
	var lines []int
	for i, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimSpace(line); !strings.HasPrefix(trimmed, "#") && speaksOfSysctls.MatchString(line) {
			lines = append(lines, i+1)
		}
	}
	return lines
}
