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

// merge collects the assignments of several containers for one annotation, in the order in which the containers run.
// The injected container runs before all of them, so the assignments may move before containers that stay.
type merge struct {
	assignments []Assignment
	existing    []Assignment // lines that the annotation has already
	rejected    string       // why no line may be added, or ""
	passed      []passed
}

// passed is a container that stays, and that runs before the containers to convert after it.
type passed struct {
	name string
	// isOpaque is set if it may write sysctls that are not known.
	isOpaque bool
	// hasRights is set if it may change interfaces and sysctls.
	hasRights bool
	names     []string // sysctls that its command may name
}

func newMerge(template *corev1.PodTemplateSpec) *merge {
	m := &merge{}
	annotations := template.Annotations
	if inject, ok := annotations[v1alpha1.InjectAnnotation]; ok && strings.TrimSpace(inject) != "true" {
		m.rejected = fmt.Sprintf("annotation %s turns sysctl-injector off for this pod", v1alpha1.InjectAnnotation)
	}
	if mode := annotations[v1alpha1.ModeAnnotation]; mode != "" && mode != "set" {
		m.rejected = fmt.Sprintf("annotation %s: %s only checks values", v1alpha1.ModeAnnotation, mode)
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
		m.existing = append(m.existing,
			Assignment{Name: name, Value: fold(value), AtLeast: atLeast, Optional: optional})
	}
	return m
}

// add adds the assignments of a container, or returns the problems that prevent its conversion.
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

// conflicts returns the problems that prevent an assignment from moving before the containers that run before it.
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
			conflict("%s: container %q runs before it and may create the interface %s, "+
				"which does not exist yet when the annotation is applied", a.Name, before.name, of)
		case before.hasRights && (of != "" || isRelated(a.Name)):
			conflict("%s: container %q runs before it, stays, and may create interfaces, "+
				"which copy such values when they are created", a.Name, before.name)
		}
	}
	for _, e := range m.existing {
		switch {
		case e.Name != a.Name:
		case isRelated(a.Name):
			conflict("the annotation sets %s too, and a write between the two may change it: remove one of them",
				a.Name)
		case e.Value != a.Value || e.AtLeast != a.AtLeast || e.Optional && !a.Optional:
			conflict("the annotation has %q, and the container, which runs later, sets %q: keep one of them", e, a)
		}
	}
	for _, earlier := range m.assignments {
		switch {
		case earlier.Name != a.Name:
		case isRelated(a.Name):
			conflict("two containers set %s, and the first write may change other names", a.Name)
		case !s.takesEverywhere(a.Name, a.Value), !s.takesEverywhere(a.Name, earlier.Value):
			conflict("two containers set %s, and it is not known whether every kernel takes both values", a.Name)
		}
	}
	return problems
}

// put appends an assignment. It replaces an earlier one of the same name.
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
	// opaqueCommands matches commands that may set sysctls that the text does not name.
	opaqueCommands = regexp.MustCompile(`sysctl\s+(-\S+\s+)*(-\w*p\b|--load|--system|-f)|/proc/sys\S*[*$?]`)
	// dynamic matches a sysctl command, or a command that writes a file, whose target a variable names.
	dynamic = regexp.MustCompile(`\bsysctl\b[^;&|\n]*\s[^\s=;&|]*\$|(>|\btee\s)\s*[^\s;&|]*\$`)
	// enters matches a sysctl command that runs in other namespaces or another root and names the sysctls that it sets.
	enters = regexp.MustCompile(`\b(nsenter|chroot)\b[^;&|\n]*\bsysctl\s+(-[wqne]+\s+)*[\w./-]+=`)
)

// harmless are commands that only set sysctls that their arguments name.
const harmless = "ip iptables ip6tables iptables-save iptables-restore ip6tables-restore nft tc ethtool brctl bridge " +
	"chown chmod cp mv ln rm rmdir touch find cut tr sort uniq seq cd umount modprobe dirname basename tar gzip " +
	"curl wget openssl kill wait shift unset read return break continue sed diff mktemp chgrp setfacl nslookup " +
	"getent ping pg_isready"

// isTransparent reports whether the manifest shows every command that a container runs.
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

// pass records a container that stays.
func (m *merge) pass(template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) {
	s, found := settingOf(template, c, kernel), &Finding{}
	s.analyze(c, found)
	_, mayWrite := mayWriteSysctls(template, c, s)
	p := passed{name: c.Name, hasRights: isPrivileged(c) || mayWrite}
	if sc := c.SecurityContext; sc != nil && sc.Capabilities != nil {
		p.hasRights = p.hasRights || len(sc.Capabilities.Add) > 0
	}
	all := strings.Join(slices.Concat(c.Command, c.Args), "\n")
	if p.hasRights {
		p.isOpaque = opaqueCommands.MatchString(all) || !isTransparent(c) ||
			len(found.Problems) > 0 && dynamic.MatchString(all)
	}
	for _, a := range found.Assignments {
		p.names = append(p.names, a.Name)
	}
	const dir = "proc/sys/"
	for _, name := range namesInText.FindAllString(all, -1) {
		if i := strings.LastIndex(name, dir); i >= 0 { // also below a mount of the node's /proc
			name = name[i+len(dir):]
		}
		p.names = append(p.names, strings.ReplaceAll(name, "/", "."))
	}
	m.passed = append(m.passed, p)
}
