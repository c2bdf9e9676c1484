package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Explanation is what is known about one sysctl, as `explain -o yaml` prints it.
type Explanation struct {
	Name       string       `json:"name"`
	Known      bool         `json:"known"`
	Suggestion string       `json:"suggestion,omitempty"` // the name that was probably meant
	Scope      sysctl.Scope `json:"scope"`
	Default    string       `json:"default,omitempty"`
	Values     string       `json:"values,omitempty"` // that the kernel accepts
	// SafeSince is the first Kubernetes release in which it is safe.
	SafeSince string `json:"safeSince,omitempty"`
	// NamespacedSince is the first Linux release in which each pod has its own value, if that is recent.
	NamespacedSince string  `json:"namespacedSince,omitempty"`
	Form            string  `json:"form,omitempty"` // the form by which an ordinary pod gets it
	Shared          Verdict `json:"shared"`
	Guest           Verdict `json:"guest"`
	// Profiles are the profiles that have a value for it.
	Profiles      []ProfileValue `json:"profiles,omitempty"`
	Documentation string         `json:"documentation,omitempty"`
	// Statements are the catalogue's statements, each with its source.
	Statements []sysctl.Statement `json:"statements,omitempty"`
}

// Verdict says whether an ordinary pod may set a sysctl on one kind of kernel.
type Verdict struct {
	Allowed  bool     `json:"allowed"`
	Policies []string `json:"policies,omitempty"` // the policies that allow it; they may limit its value
	Reason   string   `json:"reason,omitempty"`   // of the rejection
	Message  string   `json:"message,omitempty"`
}

func explain(rules *policy.Set, facts policy.Facts, name string) Explanation {
	asked := strings.Replace(name, "*", "eth0", 1) // any interface
	entry, parameter := sysctl.Lookup(asked), sysctl.FindParameter(asked)
	e := Explanation{
		Name: name, Known: sysctl.IsKnown(asked), Scope: entry.Scope, SafeSince: entry.SafeSince,
		NamespacedSince: entry.NamespacedSince,
		Documentation:   parameter.DocumentationURL(), Statements: sysctl.Statements(asked),
	}
	if parameter != nil && entry.HostOnly == nil {
		e.Default, e.Values = parameter.Default, strings.TrimPrefix(parameter.BoundsText(), "takes ")
	}
	if !e.Known && sysctl.FindRemoval(asked) == nil {
		e.Suggestion = sysctl.Suggest(asked)
	}
	for kernel, verdict := range map[v1alpha1.Kernel]*Verdict{v1alpha1.SharedKernel: &e.Shared,
		v1alpha1.GuestKernel: &e.Guest} {
		facts.Kernel = kernel
		*verdict = judge(rules, facts, entry)
	}
	e.Profiles = profileValues(rules, asked)
	if e.Shared.Allowed {
		facts.Kernel = v1alpha1.SharedKernel
		e.Form = form.For(form.Pod{Facts: facts}, sysctl.Assignment{Name: asked, Value: "1"}).Name
	}
	return e
}

func judge(rules *policy.Set, facts policy.Facts, entry sysctl.Entry) Verdict {
	var v Verdict
	if v.Reason, v.Message = policy.Check(facts, entry); v.Reason != "" {
		return v
	}
	v.Policies = rules.Allowing(facts, entry.Name)
	if v.Allowed = len(v.Policies) > 0; v.Allowed {
		return v
	}
	if v.Reason, v.Message = rules.UnknownName(entry.Name); v.Reason == "" {
		v.Reason, v.Message = policy.ReasonNotAllowed, "is not allowed by any SysctlPolicy"
	}
	return v
}

// printSentences explains one sysctl.
func printSentences(out io.Writer, e Explanation) error {
	lines := []string{e.Name}
	for _, s := range e.Statements {
		lines = append(lines, "  "+sentence(s.Text))
	}
	if e.Suggestion != "" {
		lines = append(lines, "  Did you mean "+e.Suggestion+"?")
	}
	lines = append(lines, "", "On a shared kernel, "+e.Shared.sentence(), "In a guest kernel, "+e.Guest.sentence())
	if e.Form != "" {
		line := fmt.Sprintf("An ordinary pod gets it by the form %s", e.Form)
		if e.SafeSince != "" {
			line += "; with the strategy native-first, by the form native where every kubelet is of Kubernetes " +
				e.SafeSince + " or later"
		}
		lines = append(lines, line+".")
	}
	lines = append(lines, profileSentences(e.Profiles)...)
	if e.Documentation != "" {
		lines = append(lines, "Documentation: "+e.Documentation)
	}
	_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
	return err
}

// sentence turns a statement, whose subject is the sysctl, into a sentence.
func sentence(text string) string {
	return "It " + strings.TrimSuffix(text, ".") + "."
}

func (v Verdict) sentence() string {
	if v.Allowed {
		return "pods may set it: allowed by " + plural("SysctlPolicy", "SysctlPolicies", v.Policies) + "."
	}
	return fmt.Sprintf("pods may not set it (%s): it %s.", v.Reason, strings.TrimSuffix(v.Message, "."))
}

func plural(one, many string, names []string) string {
	if len(names) == 1 {
		return one + " " + names[0]
	}
	return many + " " + strings.Join(names, ", ")
}

// printExplanations explains several sysctls in a table.
func printExplanations(out io.Writer, explanations []Explanation) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAME\tSCOPE\tSHARED KERNEL\tGUEST KERNEL\tDEFAULT\tVALUES\tSAFE SINCE\tNAMESPACED SINCE")
	for _, e := range explanations {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, e.Scope, e.Shared, e.Guest, e.defaultCell(),
			e.valuesCell(), e.safeCell(), e.namespacedCell())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range explanations {
		if e.Shared.Message == "" || len(explanations) > maxExplained {
			continue
		}
		if _, err := fmt.Fprintf(out, "\n%s\n", e.rejection()); err != nil {
			return err
		}
	}
	return nil
}

// rejection returns why pods may not set the sysctl on a shared kernel.
func (e Explanation) rejection() string {
	return fmt.Sprintf("On a shared kernel, %s %s.", e.Name, strings.TrimSuffix(e.Shared.Message, "."))
}

// maxExplained limits how many sysctls have their reasons printed below the table.
const maxExplained = 40

// The cells of the table. A cell without a value says why in words.
func (e Explanation) defaultCell() string {
	switch {
	case e.Default != "":
		return e.Default
	case !e.Known:
		return "unknown"
	case !e.Shared.Allowed:
		return "the node's"
	}
	return "none"
}

func (e Explanation) valuesCell() string {
	parameter := sysctl.FindParameter(e.Name)
	if e.Values == "" || parameter == nil {
		return "unknown"
	}
	return parameter.NewestBounds()
}

func (e Explanation) safeCell() string {
	if e.SafeSince == "" {
		return "not safe"
	}
	return "Kubernetes " + e.SafeSince
}

func (e Explanation) namespacedCell() string {
	parameter := sysctl.FindParameter(e.Name)
	switch {
	case e.NamespacedSince != "":
		return "Linux " + e.NamespacedSince
	case e.Scope == sysctl.Node || parameter != nil && parameter.Namespaced == "no":
		return "not namespaced"
	case parameter == nil:
		return "unknown"
	}
	return "Linux " + parameter.Namespaced + " or older"
}

// String returns the verdict as a cell of the table.
func (v Verdict) String() string {
	if v.Allowed {
		return "by " + strings.Join(v.Policies, ", ")
	}
	return "no: " + v.Reason
}
