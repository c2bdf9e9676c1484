package convert

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"mvdan.cc/sh/v3/syntax"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// dangerousVariables are variables that change what a shell or a command does.
const dangerousVariables = "PATH BASH_ENV ENV IFS LD_PRELOAD LD_LIBRARY_PATH POSIXLY_CORRECT SHELLOPTS BASHOPTS"

// analyze simulates a container's command on every path through it.
func (s *setting) analyze(c *corev1.Container, found *Finding) {
	if start := s.starterOf(c, found); start != nil {
		s.decide(start, found)
	}
}

// starterOf returns a function that simulates a container's command. If the command cannot be read, it adds a problem
// to found and returns nil.
func (s *setting) starterOf(c *corev1.Container, found *Finding) starter {
	if len(c.Command) == 0 && !s.image.official {
		found.problem("the entrypoint of the image decides how args are used: set command as well")
		return nil
	}
	for _, name := range strings.Fields(dangerousVariables) {
		if _, ok := s.environment[name]; ok {
			found.problem("the variable %s changes what the commands do", name)
			return nil
		}
	}
	var words []string
	for _, word := range slices.Concat(c.Command, c.Args) {
		if strings.Contains(word, "\r") {
			found.problem("the command has Windows line ends (CRLF), which become part of the words before them")
			return nil
		}
		expanded := expandReferences(word, s.environment, s.openEnvironment, s.work)
		if expanded.opaque {
			found.problem("the kubelet expands a variable in the command, and its value is not in the manifest: %s",
				shorten(word))
			return nil
		}
		words = append(words, expanded.s)
	}
	if len(words) == 0 {
		found.problem("it has no command, so the shell of its image reads the script from standard input")
		return nil
	}
	if isWord(path.Base(words[0]), "sh bash ash dash") {
		sh, why := shellWords(words)
		if sh == nil {
			found.problem("%s", why)
			return nil
		}
		if sh.isBash && s.image.busybox {
			found.problem("the image has no bash")
		}
		found.Script = scriptPath(c, sh.index)
		return s.script(sh, found)
	}
	return s.command(words, found)
}

func scriptPath(c *corev1.Container, index int) []string {
	if index < len(c.Command) {
		return []string{"command", strconv.Itoa(index)}
	}
	return []string{"args", strconv.Itoa(index - len(c.Command))}
}

// shellWords reads the command line of a shell: options, script and arguments. If there is no script, it returns nil
// and the reason.
func shellWords(words []string) (*script, string) {
	sh := &script{lang: syntax.LangPOSIX, hasPath: strings.Contains(words[0], "/")}
	if sh.isBash = path.Base(words[0]) == "bash"; sh.isBash {
		sh.lang = syntax.LangBash
	}
	isCommand := false
	i := 1
	for ; i < len(words) && len(words[i]) > 1 && (words[i][0] == '-' || words[i][0] == '+') && words[i] != "--"; i++ {
		option := words[i]
		if strings.HasPrefix(option, "--") {
			return nil, "the shell's option " + option + " is not understood"
		}
		kept := option[:1] + strings.ReplaceAll(option[1:], "c", "")
		isCommand = isCommand || len(kept) < len(option)
		if kept == "-" || kept == "+" {
			continue
		}
		sh.options = append(sh.options, kept)
		if strings.HasSuffix(option, "o") && i+1 < len(words) {
			i++
			sh.options = append(sh.options, words[i])
		}
	}
	if i < len(words) && words[i] == "--" {
		i++
	}
	if !isCommand {
		if i < len(words) {
			return nil, "it runs the script " + words[i] + ", which is not analyzed"
		}
		return nil, "the shell reads its script from standard input"
	}
	if i >= len(words) {
		return nil, "the shell's -c has no script"
	}
	sh.text, sh.index = words[i], i
	sh.arguments = words[i+1:]
	if len(sh.arguments) == 0 {
		sh.arguments = words[:1]
	}
	return sh, ""
}

// starter simulates a command, with the answers of a chooser and the failures of a doubt.
type starter func(*chooser, doubt) *run

func (s *setting) newRun(c *chooser, d doubt) *run {
	return &run{
		setting: s, choices: c, doubt: d, lang: syntax.LangPOSIX,
		variables: map[string]text{}, readOnly: map[string]bool{}, files: map[string]string{},
		directories: map[string]bool{}, out: nil,
	}
}

// command returns a starter for a command line without a shell.
func (s *setting) command(words []string, _ *Finding) starter {
	return func(c *chooser, d doubt) *run {
		r := s.newRun(c, d)
		all := make([]text, len(words))
		for i, word := range words {
			all[i] = constant(word)
		}
		one := r.callOf(all, syntax.Pos{})
		switch one.name {
		case "sysctl", "true", "sleep":
			r.exit(r.dispatch(one))
		default:
			r.problemAt(0, "%s", whyUnknown(one))
		}
		return r
	}
}

// script returns a starter for a script. If the script cannot be parsed, it adds a problem to found and returns nil.
func (s *setting) script(sh *script, found *Finding) starter {
	file, err := syntax.NewParser(syntax.Variant(sh.lang)).Parse(strings.NewReader(sh.text), "script")
	if err != nil {
		found.problem("the script cannot be parsed: %v", err)
		return nil
	}
	return func(c *chooser, d doubt) *run {
		r := s.newRun(c, d)
		r.lang, r.arguments = sh.lang, sh.arguments
		var options []text
		for _, option := range sh.options {
			options = append(options, constant(option))
		}
		r.set(call{name: "set", args: options})
		r.statements(file.Stmts, false)
		return r
	}
}

// decide explores every path through the command, and every failure that the command may ignore.
func (s *setting) decide(start starter, found *Finding) {
	paths, complete := explore(nil, func(c *chooser) *run { return start(c, doubt{}) })
	if !complete {
		found.problem("the script has too many branches")
	}
	for _, p := range paths {
		for _, problem := range p.problems {
			if !slices.Contains(found.Problems, problem) {
				found.Problems = append(found.Problems, problem)
			}
		}
		for _, note := range p.notes {
			if !slices.Contains(found.Notes, note) {
				found.Notes = append(found.Notes, note)
			}
		}
	}
	byLine := func(a, b Problem) int { return a.Line - b.Line }
	slices.SortStableFunc(found.Notes, func(a, b Note) int { return a.Line - b.Line })
	found.Problems = append(found.Problems, s.nodeLevel(paths)...)
	slices.SortStableFunc(found.Problems, byLine)
	if never := neverStarts(paths); never != nil {
		found.Problems = append(found.Problems, *never)
		return
	}
	assignments, problems := s.model(paths)
	found.Assignments = slices.DeleteFunc(slices.Clone(assignments), func(a Assignment) bool {
		found.NodeLevel = found.NodeLevel || s.fateOf(a.Name) == fateNode
		return s.fateOf(a.Name) != fateTakes || a.Value == ""
	})
	if len(found.Problems) > 0 {
		return
	}
	if found.Problems = problems; len(problems) > 0 {
		return
	}
	if len(assignments) == 0 {
		if len(found.Notes) > 0 {
			found.problem("it does not set any sysctl: remove it by hand")
		}
		return
	}
	for _, p := range paths {
		if p.status != 0 {
			continue
		}
		for _, problem := range s.hidden(p, start) {
			if !slices.Contains(found.Problems, problem) {
				found.Problems = append(found.Problems, problem)
			}
		}
	}
}

// nodeLevel returns a problem for each write that changes the node, and for each write of an unknown name.
func (s *setting) nodeLevel(paths []*run) []Problem {
	seen := map[Problem]bool{}
	for _, p := range paths {
		for _, a := range p.attempts {
			switch s.fateOf(a.name) {
			case fateNode:
				seen[Problem{a.line, s.whyNode(a.name)}] = true
			case fateUnknown:
				seen[Problem{a.line, a.name + " is not a known sysctl"}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Reason, b.Reason)
	})
}

func (s *setting) whyNode(name string) string {
	switch {
	case s.hostNetwork && strings.HasPrefix(name, "net."):
		return name + " belongs to the node, since the pod has hostNetwork: true"
	case s.hostIPC && sysctl.ScopeOf(name) == sysctl.IPC:
		return name + " belongs to the node, since the pod has hostIPC: true"
	}
	return name + " is node-level"
}

// NodeChoices is the advice for a sysctl that belongs to the node.
const NodeChoices = "a pod cannot set a node-level sysctl: set it in the node's configuration and let the pods check " +
	"it (annotation sysctl-injector.dev/mode: verify), or run the pods under a RuntimeClass that gives each " +
	"its own kernel"

// neverStarts returns a problem if the script fails on every path, even if every command that may fail succeeds.
func neverStarts(paths []*run) *Problem {
	for _, p := range paths {
		if p.status == 0 && p.didSucceed() {
			return nil
		}
	}
	for _, a := range paths[0].attempts {
		if a.outcome != wrote {
			return &Problem{a.line, a.name + ": a pod does not have it or may not write it, so the script fails " +
				"there and the pod never starts"}
		}
	}
	return &Problem{0, "the script fails, so the pod never starts"}
}

// noteWrite adds a note about the effect of an attempt.
func (r *run) noteWrite(a attempt) {
	if r.doubt.kind != noDoubt || a.outcome == missing && r.setting.isOfModule(a.name) ||
		a.outcome == wrote && a.value == "" {
		return
	}
	line := a.name + " = " + a.value
	switch {
	case a.outcome == missing:
		line = a.name + " is left out: a pod does not have it, and the script silently failed at it"
	case a.outcome == denied:
		line = a.name + " is left out: a pod may not write it, and the script silently failed at it"
	case r.setting.fateOf(a.name) == fateNode:
		line = a.name + " = " + a.value + " (node-level)"
	}
	note := Note{a.line, line}
	if !slices.Contains(r.notes, note) {
		r.notes = append(r.notes, note)
	}
}
