package convert

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Later is a sysctl that a container sets after the annotation.
type Later struct {
	Name string
	// Value is the value that the container sets. It is "" if the command names the sysctl but is not understood.
	Value string
}

// Limits for LaterWrites. An admission waits for it, and the container may be hostile. So it explores few paths, and
// does not parse long or deeply nested scripts, for which the parser needs much memory.
const (
	maxLaterContainers = 4
	maxLaterPaths      = 8
	maxLaterBytes      = 8 << 10
	maxLaterDepth      = 200
)

// nesting are the texts that can begin a nested part of a script.
var nesting = []string{"(", "{", "[", "if", "while", "until"}

// mayBeDeep reports whether a script in a container may be nested too deeply.
func mayBeDeep(container string) bool {
	depth := 0
	for _, text := range nesting {
		depth += strings.Count(container, text)
	}
	return depth > maxLaterDepth
}

// Budget limits what LaterWrites does for the containers of one pod together.
type Budget struct {
	containers int // that may still be read
	work       work
}

// NewBudget returns the budget of a pod.
func NewBudget() *Budget { return &Budget{containers: maxLaterContainers, work: work{maxLaterWork}} }

// LaterWrites returns the sysctls in force that a container (in JSON) sets again. It knows their values when the
// container starts, so it ignores paths through a script that need other values. hostNetwork and hostIPC are those of
// the pod. Of a script that exceeds a limit or the budget, all names count.
func LaterWrites(container []byte, budget *Budget, hostNetwork, hostIPC bool, inForce []Assignment) []Later {
	var c corev1.Container
	if pod.HasHugeExponent(string(container)) || json.Unmarshal(container, &c) != nil {
		return nil // the API server rejects it, or no node has as much
	}
	template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		HostNetwork: hostNetwork, HostIPC: hostIPC, InitContainers: []corev1.Container{c},
	}}
	if _, mayWrite := mayWriteSysctls(template, &c, &setting{}); !mayWrite { // without volumes, which are not known
		return nil
	}
	w := laterWrites{inForce: inForce}
	if budget.containers == 0 || len(container) > maxLaterBytes || mayBeDeep(string(container)) {
		w.mention(string(container))
		return w.found
	}
	budget.containers--
	s := settingWithin(&budget.work, template, &c, Kernel{})
	w.run(s, &c)
	if c.Lifecycle != nil && c.Lifecycle.PostStart != nil && c.Lifecycle.PostStart.Exec != nil {
		c.Command, c.Args = c.Lifecycle.PostStart.Exec.Command, nil
		w.run(s, &c)
	}
	return w.found
}

type laterWrites struct {
	inForce []Assignment
	found   []Later
}

// run analyzes a container's command.
func (w *laterWrites) run(s *setting, c *corev1.Container) {
	words := strings.Join(slices.Concat(c.Command, c.Args), " ")
	if !mentionsSysctls(c) {
		return
	}
	finding := &Finding{}
	start := s.starterOf(c, finding)
	if start == nil {
		w.mention(words)
		return
	}
	paths, isUnderstood := exploreSome(maxLaterPaths, nil, func(c *chooser) *run { return start(c, doubt{}) })
	for _, p := range paths {
		isUnderstood = isUnderstood && len(p.problems) == 0
		if w.isPossible(p) {
			for _, a := range p.last() {
				w.add(Later{a.name, a.value})
			}
		}
	}
	if !isUnderstood {
		w.mention(words)
	}
}

// isPossible reports whether a path agrees with the values in force.
func (w *laterWrites) isPossible(p *run) bool {
	for c, answer := range p.choices.answers {
		i := slices.IndexFunc(w.inForce, func(a Assignment) bool { return a.Name == c.name })
		if i < 0 || !c.isCondition() {
			continue
		}
		value, ok := number(w.inForce[i].Value)
		switch {
		case !ok:
		case c.kind == isBelow && answer && value >= c.limit:
			return false
		case !w.inForce[i].AtLeast && (c.kind == isBelow && (value < c.limit) != answer ||
			c.kind == isEqual && (value == c.limit) != answer):
			return false
		}
	}
	return true
}

// mention adds the names that a text contains.
func (w *laterWrites) mention(text string) {
	for _, token := range strings.FieldsFunc(text, isSeparator) {
		if name, err := sysctl.ParseName(strings.TrimPrefix(token, "/proc/sys/")); err == nil {
			w.add(Later{Name: name})
		}
	}
}

// add adds a name in force, unless it is already there, or there with a value.
func (w *laterWrites) add(l Later) {
	isKnown := func(other Later) bool { return other == l || l.Value == "" && other.Name == l.Name }
	if slices.ContainsFunc(w.inForce, func(a Assignment) bool { return a.Name == l.Name }) &&
		!slices.ContainsFunc(w.found, isKnown) {
		w.found = append(w.found, l)
	}
}

// isSeparator reports whether a character cannot be part of a sysctl's name or path.
func isSeparator(r rune) bool {
	isAlphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !isAlphanumeric && !strings.ContainsRune("_./-", r)
}
