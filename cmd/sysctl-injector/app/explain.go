package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

type explainOptions struct {
	objectOptions
	clientOptions
	namespaceSelection
	serviceAccount, profile, output string
	all                             bool
}

// errNotAllowed is the outcome of explain if a pod may not set a sysctl. It is not printed, since the output says so.
var errNotAllowed = errors.New("not allowed")

func newExplainCommand() *cobra.Command {
	o := &explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain SYSCTL...",
		Short: "Show what is known about a sysctl and whether pods may set it",
		Long: `Show what is known about a sysctl and whether pods may set it: its scope, its default, the values
that the kernel accepts, the kernels that have it, and the decision of the policies. A single name
is explained in sentences, several in a table. -o yaml and -o json add the source of each statement.

With -n, -A, -l, or a flag that selects a cluster or a user, such as --context or --as, the command
reads the policies from the cluster. Otherwise it asks no cluster, and uses the built-in policies or
those of --policy. With -A or -l, it prints a table with a line for each namespace and sysctl.

The exit code is 1 if a pod may not set one of the sysctls on a shared kernel, except with --all.`,
		Example: `  sysctl-injector explain net.core.somaxconn
  sysctl-injector explain net.core.somaxconn vm.max_map_count -n shop
  sysctl-injector explain net.core.somaxconn -l team=web
  sysctl-injector explain --profile nginx
  sysctl-injector explain --all -o yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error { return o.run(cmd, names) },

		ValidArgsFunction: completeSysctls,
	}
	o.addPolicyFlag(cmd)
	o.addNamespacedFlags(cmd, "`namespace` of the pod; asks the cluster, unless --policy is given")
	o.namespaceSelection.addFlags(cmd, "explain for pods of each namespace; asks the cluster")
	flags := cmd.Flags()
	flags.StringVar(&o.serviceAccount, "serviceaccount", "default", "service account of the pod")
	flags.StringVar(&o.profile, "profile", "", "explain the sysctls of a SysctlProfile")
	flags.BoolVar(&o.all, "all", false, "explain every sysctl of the catalogue; * stands for a network interface")
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputYAML, outputJSON)
	return cmd
}

func (o *explainOptions) run(cmd *cobra.Command, args []string) error {
	asked := o.isNamed(cmd) || o.isGiven() || cmd.Flags().Changed("namespace") && len(o.policies) == 0
	switch {
	case asked && len(o.policies) > 0:
		return usagef("--policy names policies in files: leave out -A, -l and the flags that select a cluster or a " +
			"user, or --policy")
	case o.isGiven() && *o.config.Namespace != "":
		return usagef("either name the namespace with -n, or select namespaces with -l or -A")
	case len(args) == 0 && o.profile == "" && !o.all:
		return usagef("name the sysctls, or use --profile or --all")
	}
	loaded, err := o.load(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return err
	}
	namespaces, where, err := o.namespaces(cmd.Context(), loaded, asked)
	if err != nil {
		return err
	}
	names, err := o.names(loaded.Rules(), args)
	if err != nil {
		return err
	}
	facts := make([]policy.Facts, len(namespaces))
	for i, namespace := range namespaces {
		labels, err := loaded.NamespaceLabels(cmd.Context(), namespace)
		if err != nil {
			return err
		}
		facts[i] = policy.Facts{Namespace: namespace, NamespaceLabels: labels, ServiceAccount: o.serviceAccount}
	}
	allowed := true
	answers := func(yield func(namespaceAnswer) bool) {
		for _, f := range facts {
			a := namespaceAnswer{Namespace: f.Namespace, Enrolled: loaded.IsEnrolled(f.Namespace)}
			for _, name := range names {
				a.Sysctls = append(a.Sysctls, explain(loaded.Rules(), f, name))
			}
			allowed = allowed && !a.hasNo()
			if !yield(a) {
				return
			}
		}
	}
	fmt.Fprintln(cmd.ErrOrStderr(), where)
	if err := o.print(cmd.OutOrStdout(), answers); err != nil || o.all || allowed {
		return err
	}
	return errNotAllowed
}

// print prints the answers, by namespace if namespaces were selected. It holds one answer at a time.
func (o *explainOptions) print(out io.Writer, answers iter.Seq[namespaceAnswer]) error {
	switch {
	case o.isGiven() && o.output == outputTable:
		return printAnswers(out, answers)
	case o.isGiven():
		return printList(out, o.output, answers)
	}
	for answer := range answers { // one
		switch {
		case o.output != outputTable:
			return printAs(out, o.output, answer.Sysctls)
		case len(answer.Sysctls) == 1:
			return printSentences(out, answer.Sysctls[0])
		}
		return printExplanations(out, answer.Sysctls)
	}
	return nil
}

// namespaces returns the namespaces to answer for, and where the policies come from. A cluster's policies replace the
// loaded ones.
func (o *explainOptions) namespaces(ctx context.Context, loaded *source.Snapshot, asked bool) (names []string,
	where string, err error) {
	if !asked {
		where = "No cluster was asked: the policies are the built-in ones. " +
			"To ask a cluster, use -n, -A, --context or --kubeconfig."
		if len(o.policies) > 0 {
			where = "No cluster was asked: the policies are those of --policy."
		}
		return []string{cmp.Or(*o.config.Namespace, metav1.NamespaceDefault)}, where, nil
	}
	cluster, _, err := o.client()
	if err != nil {
		return nil, "", err
	}
	if err := loaded.ReadCluster(ctx, cluster); err != nil {
		return nil, "", err
	}
	if !o.isGiven() {
		name, err := o.namespace()
		if err != nil {
			return nil, "", err
		}
		namespace := &corev1.Namespace{}
		if err := cluster.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return nil, "", fmt.Errorf("read namespace %q: %w", name, err)
		}
		loaded.AddNamespace(namespace)
		return []string{name}, fmt.Sprintf("The policies are those of the cluster, for namespace %q.", name), nil
	}
	err = o.each(ctx, cluster, func(namespace *corev1.Namespace) {
		loaded.AddNamespace(namespace)
		names = append(names, namespace.Name)
	})
	if err == nil && len(names) == 0 {
		err = errNoneSelected
	}
	return names, "The policies are those of the cluster.", err
}

// names returns the sysctls to explain: the arguments, the sysctls of a profile, or all.
func (o *explainOptions) names(rules *policy.Set, args []string) ([]string, error) {
	var names []string
	var errs []error
	for _, arg := range args {
		name, err := sysctl.ParseName(arg)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", arg, err))
		}
		names = append(names, name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usageError{err}
	}
	if o.profile != "" {
		if err := rules.ProfileProblem(o.profile); err != nil {
			return nil, fmt.Errorf("--profile: SysctlProfile %q is invalid: %w", o.profile, err)
		}
		assignments, ok := rules.Profile(o.profile)
		if !ok {
			return nil, usagef("--profile %s: there is no such SysctlProfile; there are %s", o.profile,
				cmp.Or(strings.Join(rules.ProfileNames(), ", "), "none"))
		}
		for _, a := range assignments {
			names = append(names, a.Name)
		}
	}
	if o.all {
		names = append(names, sysctl.CatalogueNames()...)
	}
	return names, nil
}
