package convert

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"mvdan.cc/sh/v3/syntax"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// merge puts the assignments of several containers into one annotation, in the order in which the containers run.
// Ours runs before all of them, so a container that stays may come to run after one that it ran before.
type merge struct {
	assignments []Assignment
	existing    []Assignment // of the annotation as it is
	rejected    string       // why nothing may be added; "" if lines may be
	passed      []passed
}

// passed is a container that stays, and runs before those that follow.
type passed struct {
	name string
	// isOpaque is set if it may write sysctls, and it is not known which.
	isOpaque bool
	// hasRights is set if it may change interfaces and sysctls.
	hasRights bool
	names     []string
}

func newMerge(template *corev1.PodTemplateSpec) *merge {
	m := &merge{}
	annotations := template.Annotations
	if inject, ok := annotations[v1alpha1.InjectAnnotation]; ok && strings.TrimSpace(inject) != "true" {
		m.rejected = fmt.Sprintf("annotation %s keeps sysctl-injector away from this pod", v1alpha1.InjectAnnotation)
	}
	if mode := annotations[v1alpha1.GroupName+"/mode"]; mode != "" && mode != "set" {
		m.rejected = fmt.Sprintf("annotation %s/mode: %s only checks values", v1alpha1.GroupName, mode)
	}
	for _, line := range strings.Split(annotations[v1alpha1.SysctlsAnnotation], "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		left, value, _ := strings.Cut(line, "=")
		name, atLeast := strings.CutSuffix(strings.TrimSpace(left), ">")
		name, optional := strings.CutPrefix(strings.TrimSpace(name), "-")
		if strings.Contains(name, "/") {
			name = strings.ReplaceAll(name, "/", ".")
		}
		m.existing = append(m.existing, Assignment{Name: name, Value: fold(value), AtLeast: atLeast, Optional: optional})
	}
	return m
}

// add takes up what a container sets, or says why the container has to stay.
func (m *merge) add(s *setting, f *Finding) []Problem {
	if m.rejected != "" {
		return []Problem{{0, m.rejected}}
	}
	var problems []Problem
	for _, a := range f.Assignments {
		problems = append(problems, m.conflicts(s, a)...)
	}
	if len(problems) > 0 {
		return problems
	}
	for _, a := range f.Assignments {
		m.put(a)
	}
	return nil
}

// conflicts says why an assignment may not move in front of the containers before it.
func (m *merge) conflicts(s *setting, a Assignment) []Problem {
	var problems []Problem
	conflict := func(format string, args ...any) {
		problems = append(problems, Problem{a.Line, fmt.Sprintf(format, args...)})
	}
	for _, before := range m.passed {
		switch of := interfaceOf(a.Name); {
		case before.isOpaque:
			conflict("container %q runs before it and stays; it may set %s too, and it would run after the annotation",
				before.name, a.Name)
		case slices.Contains(before.names, a.Name):
			conflict("container %q, which runs before it and stays, names %s too, and would run after the annotation",
				before.name, a.Name)
		case of != "" && !slices.Contains(usualInterfaces, of):
			conflict("%s: container %q runs before it and may make the interface %s, which is not there yet when the annotation is set",
				a.Name, before.name, of)
		case before.hasRights && (of != "" || isRelated(a.Name)):
			conflict("%s: container %q runs before it, stays, and may make interfaces, which take such values when they are made", a.Name, before.name)
		}
	}
	for _, e := range m.existing {
		switch {
		case e.Name != a.Name:
		case isRelated(a.Name):
			conflict("the annotation sets %s too, and what is set between the two may change it: remove one of them", a.Name)
		case e.Value != a.Value || e.AtLeast != a.AtLeast || e.Optional && !a.Optional:
			conflict("the annotation says %q, and the container, which runs later, %q: decide for one of them, and remove the other", e, a)
		}
	}
	for _, earlier := range m.assignments {
		switch {
		case earlier.Name != a.Name:
		case isRelated(a.Name):
			conflict("%s is set by two containers, and the first write may change other names", a.Name)
		case !s.takesEverywhere(a.Name, a.Value), !s.takesEverywhere(a.Name, earlier.Value):
			conflict("%s is set by two containers, and whether every kernel takes both values is not known", a.Name)
		}
	}
	return problems
}

// put appends an assignment. It takes the place of an earlier one of the same name.
func (m *merge) put(a Assignment) {
	if slices.ContainsFunc(m.existing, func(e Assignment) bool { return e.Name == a.Name }) {
		return
	}
	i := slices.IndexFunc(m.assignments, func(earlier Assignment) bool { return earlier.Name == a.Name })
	if i >= 0 {
		earlier := m.assignments[i]
		m.assignments = slices.Delete(m.assignments, i, i+1)
		a.Optional = a.Optional && earlier.Optional
		if a.AtLeast {
			before, okBefore := number(earlier.Value)
			now, okNow := number(a.Value)
			if okBefore && okNow && before > now {
				a.Value = earlier.Value
			}
			a.AtLeast = earlier.AtLeast
		}
	}
	m.assignments = append(m.assignments, a)
}

var (
	namesInText = regexp.MustCompile(`[a-z0-9_]+([./][\w-]+)+`)
	// opaqueCommands matches what may set sysctls that the text does not name.
	opaqueCommands = regexp.MustCompile(`sysctl\s+(-\S+\s+)*(-\w*p\b|--load|--system|-f)|/proc/sys\S*[*$?]`)
	// enters matches a sysctl command in other namespaces or below another root, with the names that it sets.
	enters = regexp.MustCompile(`\b(nsenter|chroot)\b[^;&|\n]*\bsysctl\s+(-[wqne]+\s+)*[\w./-]+=`)
)

// harmless are commands that set no sysctl but those that they name.
const harmless = "ip iptables ip6tables iptables-save iptables-restore ip6tables-restore nft tc ethtool brctl bridge chown chmod cp mv ln rm rmdir " +
	"touch find cut tr sort uniq seq cd umount modprobe dirname basename tar gzip curl wget openssl kill wait " +
	"shift unset read return break continue sed diff mktemp chgrp setfacl nslookup getent ping pg_isready"

// isTransparent reports whether everything that a container runs is in sight.
func isTransparent(c *corev1.Container) bool {
	words := slices.Concat(c.Command, c.Args)
	if len(c.Command) == 0 && !imageOf(c.Image).official {
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.Join(words, " ")
	isKnown := func(name string) bool {
		name = path.Base(name)
		return commandNamed(name) != nil || isWord(name, harmless) ||
			isWord(name, "nsenter chroot") && enters.MatchString(text)
	}
	if !isWord(path.Base(words[0]), "sh bash ash dash") {
		return isKnown(words[0])
	}
	sh, _ := shellWords(words)
	if sh == nil {
		return false
	}
	file, err := syntax.NewParser(syntax.Variant(sh.lang)).Parse(strings.NewReader(sh.text), "script")
	if err != nil {
		return false
	}
	all := true
	functions := map[string]bool{}
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.FuncDecl:
			functions[node.Name.Value] = true
		case *syntax.CallExpr:
			if len(node.Args) > 0 {
				all = all && (isKnown(node.Args[0].Lit()) || functions[node.Args[0].Lit()])
			}
		}
		return all
	})
	return all
}

// pass notes a container that stays.
func (m *merge) pass(c *corev1.Container) {
	p := passed{name: c.Name, hasRights: isPrivileged(c)}
	if sc := c.SecurityContext; sc != nil && sc.Capabilities != nil {
		p.hasRights = p.hasRights || len(sc.Capabilities.Add) > 0
	}
	all := strings.Join(slices.Concat(c.Command, c.Args), "\n")
	if p.hasRights {
		p.isOpaque = opaqueCommands.MatchString(all) || !isTransparent(c)
	}
	for _, found := range namesInText.FindAllString(all, -1) {
		name := strings.ReplaceAll(strings.TrimPrefix(found, "proc/sys/"), "/", ".")
		p.names = append(p.names, name)
	}
	m.passed = append(m.passed, p)
}
