package convert

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Later is a sysctl that a container sets after the annotation.
type Later struct {
	Name string
	// Value is what the container sets; "" if its command names the sysctl and is not understood.
	Value string
}

// An admission waits for LaterWrites, and anyone may have written the container. So it takes few of the ways through
// a script, and reads none that is long or deeply nested, for which the parser would need much memory.
const (
	maxLaterPaths = 8
	maxLaterBytes = 8 << 10
	maxLaterDepth = 100
)

// LaterWrites returns what a container, in JSON, sets of the names in force. It knows the values that these have when
// the container starts, so it takes no way through a script that asks for others. hostNetwork and hostIPC are those
// of the pod. Unless mayRead is set, it only looks for the names.
func LaterWrites(container []byte, mayRead, hostNetwork, hostIPC bool, inForce []Assignment) []Later {
	var c corev1.Container
	if err := json.Unmarshal(container, &c); err != nil {
		return nil // the API server rejects it
	}
	template := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		HostNetwork: hostNetwork, HostIPC: hostIPC, InitContainers: []corev1.Container{c},
	}}
	s := settingOf(template, &c, Kernel{})
	if _, mayWrite := mayWriteSysctls(template, &c, s); !mayWrite {
		return nil
	}
	w := laterWrites{inForce: inForce}
	if !mayRead || len(container) > maxLaterBytes || strings.Count(string(container),
		"(")+strings.Count(string(container), "{") > maxLaterDepth {
		w.mention(string(container))
		return w.found
	}
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

// run looks at a command.
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

// isPossible reports whether the values in force are those that a path assumes.
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

// mention adds the names that a text has.
func (w *laterWrites) mention(text string) {
	for _, token := range strings.FieldsFunc(text, isNoSysctl) {
		if name, err := sysctl.ParseName(strings.TrimPrefix(token, "/proc/sys/")); err == nil {
			w.add(Later{Name: name})
		}
	}
}

// add notes a name in force, unless it is noted with a value already.
func (w *laterWrites) add(l Later) {
	isKnown := func(other Later) bool { return other == l || l.Value == "" && other.Name == l.Name }
	if slices.ContainsFunc(w.inForce, func(a Assignment) bool { return a.Name == l.Name }) &&
		!slices.ContainsFunc(w.found, isKnown) {
		w.found = append(w.found, l)
	}
}

// isNoSysctl reports whether a character is none of a sysctl's name or path.
func isNoSysctl(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r))
}
