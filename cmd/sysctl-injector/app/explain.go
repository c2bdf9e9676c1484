package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

type explainOptions struct {
	objectOptions
	namespace, serviceAccount, output string
}

// Explanation is what is known of one sysctl: what `explain -o yaml` tells.
type Explanation struct {
	Name  string       `json:"name"`
	Scope sysctl.Scope `json:"scope"`
	// SafeSince is the Kubernetes release that counts it safe.
	SafeSince string `json:"safeSince,omitempty"`
	// NamespacedSince is the Linux release from which on each pod has its own, where that is recent.
	NamespacedSince string  `json:"namespacedSince,omitempty"`
	Shared          Verdict `json:"shared"`
	Guest           Verdict `json:"guest"`
	Source          string  `json:"source,omitempty"`
}

// Verdict is whether an ordinary pod may set a sysctl on one kind of kernel.
type Verdict struct {
	Allowed  bool     `json:"allowed"`
	Policies []string `json:"policies,omitempty"` // that allow it; they may bound its value
	Reason   string   `json:"reason,omitempty"`   // of the refusal
	Message  string   `json:"message,omitempty"`
}

func newExplainCommand() *cobra.Command {
	o := &explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain SYSCTL...",
		Short: "Tell what is known of a sysctl, and whether a pod may set it",
		Long: `Tell what is known of a sysctl: its scope, from which release of Kubernetes on it is safe and of Linux on it is
namespaced, and whether an ordinary pod may set it by the policies at hand.`,
		Example: `  sysctl-injector explain net.core.somaxconn vm.max_map_count
  sysctl-injector explain kernel.sem -o yaml --policy policies/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error { return o.run(cmd, names) },
	}
	o.addPolicyFlag(cmd)
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the pod")
	cmd.Flags().StringVar(&o.serviceAccount, "serviceaccount", "default", "service account of the pod")
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputYAML, outputJSON)
	return cmd
}

func (o *explainOptions) run(cmd *cobra.Command, args []string) error {
	var errs []error
	names := make([]string, len(args))
	for i, arg := range args {
		var err error
		if names[i], err = sysctl.ParseName(arg); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", arg, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	objects, err := o.load(cmd.InOrStdin())
	if err != nil {
		return err
	}
	labels, err := objects.NamespaceLabels(cmd.Context(), o.namespace)
	if err != nil {
		return err
	}
	facts := policy.Facts{Namespace: o.namespace, NamespaceLabels: labels, ServiceAccount: o.serviceAccount}
	explanations := make([]Explanation, len(names))
	for i, name := range names {
		explanations[i] = explain(objects.rules(), facts, sysctl.Lookup(name))
	}
	if o.output == outputTable {
		return printExplanations(cmd.OutOrStdout(), explanations)
	}
	return printAs(cmd.OutOrStdout(), o.output, explanations)
}

func explain(rules *policy.Set, facts policy.Facts, entry sysctl.Entry) Explanation {
	e := Explanation{Name: entry.Name, Scope: entry.Scope, SafeSince: entry.SafeSince, NamespacedSince: entry.NamespacedSince}
	for _, note := range []*sysctl.Note{entry.Forbidden, entry.HostOnly} {
		if note != nil {
			e.Source = note.Source
		}
	}
	for kernel, verdict := range map[v1alpha1.Kernel]*Verdict{v1alpha1.SharedKernel: &e.Shared, v1alpha1.GuestKernel: &e.Guest} {
		facts.Kernel = kernel
		if verdict.Reason, verdict.Message = policy.Check(facts, entry); verdict.Reason != "" {
			continue
		}
		verdict.Policies = rules.Allowing(facts, entry.Name)
		verdict.Allowed = len(verdict.Policies) > 0
		if !verdict.Allowed {
			verdict.Reason, verdict.Message = policy.ReasonNotAllowed, "is not allowed by any SysctlPolicy"
		}
	}
	return e
}

func printExplanations(out io.Writer, explanations []Explanation) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAME\tSCOPE\tSHARED KERNEL\tGUEST KERNEL\tSAFE SINCE\tNAMESPACED SINCE")
	for _, e := range explanations {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, e.Scope, e.Shared, e.Guest, release("Kubernetes ", e.SafeSince), release("Linux ", e.NamespacedSince))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range explanations {
		if e.Shared.Message == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "\nOn a shared kernel, %s %s.\n", e.Name, strings.TrimSuffix(e.Shared.Message, ".")); err != nil {
			return err
		}
	}
	return nil
}

// String is a verdict in a table's cell.
func (v Verdict) String() string {
	if v.Allowed {
		return "by " + strings.Join(v.Policies, ", ")
	}
	return "no: " + v.Reason
}

func release(of, release string) string {
	if release == "" {
		return "-"
	}
	return of + release
}
