package app

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// item is one entry of the report.
type item struct {
	file         string
	line         int
	object, what string
	workload     string // its name, if the item is of a pod template
	container    string // its name, if it is an init container
	sets         []convert.Assignment
	native       []convert.Assignment // assignments that become native sysctls
	notes        []convert.Note
	problems     []convert.Problem
	advice       []string
	warnings     []string
}

func (i item) stays() bool { return len(i.problems) > 0 }

// of copies a finding, and counts its lines from the start of the file.
func (i *item) of(found convert.Finding, lineIn func(int) int) {
	i.sets = found.Assignments
	if found.NodeLevel {
		i.advice = append(i.advice, convert.NodeChoices)
	}
	for _, note := range found.Notes {
		i.notes = append(i.notes, convert.Note{Line: inFile(note.Line, lineIn), Text: note.Text})
	}
	for _, problem := range found.Problems {
		i.problems = append(i.problems, convert.Problem{Line: inFile(problem.Line, lineIn), Reason: problem.Reason})
	}
}

func inFile(line int, lineIn func(int) int) int {
	if line == 0 {
		return 0
	}
	return lineIn(line)
}

// unreadable reports a file that is not YAML. It may set sysctls even if it does not mention them.
func (c *conversion) unreadable(f file, err error) {
	lines := convert.Mentions(string(f.content))
	isTemplate := helmAction.Match(f.content)
	if len(lines) == 0 && isTemplate {
		c.templates = append(c.templates, f.name) // an included template may set sysctls
		return
	}
	reason := fmt.Sprintf("the file cannot be read: %v", err)
	if isTemplate {
		reason = "it looks like a Helm template; render it first: helm template ... | sysctl-injector convert -f -"
	}
	one := item{file: f.name, line: 1, object: "the file", what: "not looked into",
		problems: []convert.Problem{{Reason: reason}}}
	for n, line := range lines {
		if n == 0 {
			one.line, one.what = line, "speaks of sysctls"
			continue
		}
		one.problems = append(one.problems, convert.Problem{Line: line, Reason: "speaks of sysctls too"})
	}
	c.items = append(c.items, one)
}

// otherDocuments reports lists that mention sysctls, such as JSON patches. convert does not change them.
func (c *conversion) otherDocuments(f file) {
	_, others, err := manifest.Documents(f.content)
	if err != nil {
		return
	}
	lines := convert.Mentions(string(f.content))
	for _, other := range others {
		if !strings.HasPrefix(other.What, "a ") { // mappings are handled above
			continue
		}
		for _, line := range lines {
			if line >= other.Line {
				c.items = append(c.items, item{
					file: f.name, line: line, object: other.What, what: "speaks of sysctls",
					problems: []convert.Problem{{Reason: "it is no Kubernetes object, and is not looked into"}},
				})
				break
			}
		}
	}
}

// elsewhere reports findings in objects that convert does not change.
func (c *conversion) elsewhere(f file, o manifest.Object, places []convert.Place) {
	name := fmt.Sprintf("%s %q", o.Kind, o.Name)
	if o.Kind == "" {
		name = "values or a patch (no kind)"
	}
	for _, p := range places {
		path := workload.FieldPath(p.Path).String()
		one := item{file: f.name, line: o.LineIn(p.Path, 0), object: name, what: path + ", " + p.What}
		if p.Finding.Name != "" {
			one.what += fmt.Sprintf(" %q", p.Finding.Name)
		}
		one.of(p.Finding, func(line int) int { return o.LineIn(slices.Concat(p.Path, p.Finding.Script), line) })
		if len(one.problems) == 0 {
			one.problems = append(one.problems, convert.Problem{Reason: "an object of this kind is not converted"})
		}
		if len(one.sets) > 0 {
			one.advice = append(one.advice, fmt.Sprintf("by hand: put the lines into annotation %s of the pods "+
				"(podAnnotations in many charts, the metadata of the pod template in a custom resource), "+
				"and take this entry out", v1alpha1.SysctlsAnnotation))
		}
		c.items = append(c.items, one)
	}
}

// keys reports keys of the project that have no effect in their place: a person may believe that they have.
func (c *conversion) keys(f file, o manifest.Object) {
	for _, found := range inspect.Keys(inspect.Object{APIVersion: o.APIVersion, Kind: o.Kind,
		JSON: gjson.ParseBytes(o.JSON)}, c.find(o)) {
		if found.Warning {
			if found.Reason == inspect.ReasonUnknownKind {
				c.undecided++
			}
			fmt.Fprintf(c.warn, "Warning: %s: line %d: %s %q: %s\n", f.name, o.LineOf(found.Path), o.Kind, o.Name,
				oneLine(found.Err.Error()))
			continue
		}
		c.items = append(c.items, item{
			file: f.name, line: o.LineOf(found.Path),
			object: fmt.Sprintf("%s %q", o.Kind, o.Name), what: found.Err.Field,
			problems: []convert.Problem{{Reason: found.Reason + ": " + found.Err.Detail}},
		})
	}
}

// naming is an object that may name containers, as the policies of a VerticalPodAutoscaler do.
type naming struct {
	file   string
	object manifest.Object
}

// stillNamed warns of objects that name a removed container. Those of another file must also name the workload.
func (c *conversion) stillNamed() {
	for n := range c.items {
		i := &c.items[n]
		if i.stays() || i.container == "" {
			continue
		}
		entry := func(key, value string) *regexp.Regexp {
			return regexp.MustCompile(`"` + key + `":\s*` + regexp.QuoteMeta(fmt.Sprintf("%q", value)))
		}
		container, workload := entry("containerName", i.container), entry("name", i.workload)
		for _, by := range c.naming {
			place := fmt.Sprintf("line %d", by.object.Line)
			if by.file != i.file {
				place = by.file + " " + place
			}
			if container.Match(by.object.JSON) && (by.file == i.file || workload.Match(by.object.JSON)) {
				i.warnings = append(slices.Clip(i.warnings), fmt.Sprintf("%s %q, %s, names the container",
					by.object.Kind, by.object.Name, place))
			}
		}
	}
}

// report prints the findings. It returns errLeft if anything stays; if nothing is written, that is everything.
func (c *conversion) report(out io.Writer, isWritten bool) error {
	converted, left := 0, 0
	var b strings.Builder
	if len(c.templates) > 0 {
		c.items = append(c.items, item{
			file: c.templates[0], line: 1, object: fmt.Sprintf("Helm templates, %d in all", len(c.templates)),
			what: "not looked into",
			problems: []convert.Problem{{
				Reason: "render them first: helm template ... | sysctl-injector convert -f -",
			}},
		})
	}
	for _, i := range c.items {
		if i.stays() {
			left++
		} else {
			converted++
		}
		i.print(&b)
	}
	if converted+left == 0 {
		b.WriteString("nothing to convert\n")
	} else {
		fmt.Fprintf(&b, "converted: %d, left as they are: %d\n", converted, left)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if left > 0 || converted > 0 && !isWritten {
		return errLeft
	}
	return nil
}

func (i item) print(b *strings.Builder) {
	state := "converted"
	if i.stays() {
		state = "stays as it is"
	}
	fmt.Fprintf(b, "%s: line %d: %s: %s: %s\n", i.file, i.line, oneLine(i.object), oneLine(i.what), state)
	for _, p := range i.problems {
		fmt.Fprintf(b, "  %s%s\n", at(p.Line), oneLine(p.Reason))
	}
	if i.stays() {
		for _, note := range i.notes {
			if note.Line > 0 && !strings.Contains(note.Text, leftOut) {
				fmt.Fprintf(b, "  line %d: sets %s\n", note.Line, oneLine(note.Text))
			}
		}
	} else {
		for _, note := range i.notes {
			if strings.Contains(note.Text, leftOut) {
				fmt.Fprintf(b, "  %s%s\n", at(note.Line), oneLine(note.Text))
			}
		}
	}
	for n, a := range i.sets {
		if n == 0 {
			fmt.Fprintf(b, "  as lines of the annotation:\n")
		}
		fmt.Fprintf(b, "    %s\n", a)
	}
	for n, a := range i.native {
		if n == 0 {
			fmt.Fprintf(b, "  as native sysctls:\n")
		}
		fmt.Fprintf(b, "    %s\n", a)
	}
	for _, line := range slices.Concat(i.advice, i.warnings) {
		fmt.Fprintf(b, "  %s\n", oneLine(line))
	}
}

// leftOut is part of the notes on sysctls that a container never set.
const leftOut = "left out"

func at(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d: ", line)
}
