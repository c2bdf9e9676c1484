package app

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

type explainOptions struct {
	objectOptions
	clientOptions
	serviceAccount, profile, output string
	all                             bool
}

// errNotAllowed ends explain where a pod may not set a sysctl. The output says so already.
var errNotAllowed = errors.New("not allowed")

func newExplainCommand() *cobra.Command {
	o := &explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain SYSCTL...",
		Short: "Show what is known about a sysctl and whether pods may set it",
		Long: `Show what is known about a sysctl and whether pods may set it: its scope, its default, the values that the kernel takes, the kernels that
have it, and what the policies say. One name is explained in sentences, several in a table; -o yaml and -o json add the source of each
statement.

With --kubeconfig, --context or -n, the policies are those of the cluster. Otherwise no cluster is asked, and the policies are the built-in ones,
or those of --policy. The exit code is 1 if a pod may not set one of the sysctls on a shared kernel.`,
		Example: `  sysctl-injector explain net.core.somaxconn
  sysctl-injector explain net.core.somaxconn vm.max_map_count -n shop
  sysctl-injector explain --profile nginx
  sysctl-injector explain --all -o yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, names []string) error { return o.run(cmd, names) },

		ValidArgsFunction: completeSysctls,
	}
	o.addPolicyFlag(cmd)
	o.addNamespacedFlags(cmd, "`namespace` of the pod; asks the cluster, unless --policy is given")
	flags := cmd.Flags()
	flags.StringVar(&o.serviceAccount, "serviceaccount", "default", "service account of the pod")
	flags.StringVar(&o.profile, "profile", "", "explain the sysctls of a SysctlProfile")
	flags.BoolVar(&o.all, "all", false, "explain every sysctl of the catalogue; * stands for a network interface")
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputYAML, outputJSON)
	return cmd
}

func (o *explainOptions) run(cmd *cobra.Command, args []string) error {
	asked := o.isNamed(cmd) || cmd.Flags().Changed("namespace") && len(o.policies) == 0
	switch {
	case asked && len(o.policies) > 0:
		return usagef("--policy names policies in files: leave out --kubeconfig and --context, or --policy")
	case len(args) == 0 && o.profile == "" && !o.all:
		return usagef("name the sysctls, or use --profile or --all")
	}
	namespace := cmp.Or(*o.config.Namespace, metav1.NamespaceDefault)
	if asked {
		var err error
		if namespace, err = o.namespace(); err != nil {
			return err
		}
	}
	loaded, where, err := o.rules(cmd, asked, namespace)
	if err != nil {
		return err
	}
	rules := loaded.Rules()
	names, err := o.names(rules, args)
	if err != nil {
		return err
	}
	labels, err := loaded.NamespaceLabels(cmd.Context(), namespace)
	if err != nil {
		return err
	}
	facts := policy.Facts{Namespace: namespace, NamespaceLabels: labels, ServiceAccount: o.serviceAccount}
	explanations := make([]Explanation, len(names))
	for i, name := range names {
		explanations[i] = explain(rules, facts, name)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), where)
	switch {
	case o.output != outputTable:
		err = printAs(cmd.OutOrStdout(), o.output, explanations)
	case len(explanations) == 1:
		err = printSentences(cmd.OutOrStdout(), explanations[0])
	default:
		err = printExplanations(cmd.OutOrStdout(), explanations)
	}
	if err != nil || o.all {
		return err
	}
	for _, e := range explanations {
		if !e.Shared.Allowed {
			return errNotAllowed
		}
	}
	return nil
}

// rules returns the policies and profiles, and says where they come from.
func (o *explainOptions) rules(cmd *cobra.Command, asked bool, namespace string) (loaded *source.Snapshot, where string,
	err error) {
	if loaded, err = o.load(cmd.Context(), cmd.InOrStdin()); err != nil {
		return nil, "", err
	}
	if !asked {
		if len(o.policies) > 0 {
			return loaded, "No cluster was asked: the policies are those of --policy.", nil
		}
		return loaded, "No cluster was asked: the policies are the built-in ones. To ask a cluster, use -n, --context or --kubeconfig.", nil
	}
	cluster, _, err := o.client()
	if err != nil {
		return nil, "", err
	}
	if err := loaded.ReadCluster(cmd.Context(), cluster, namespace); err != nil {
		return nil, "", err
	}
	return loaded, fmt.Sprintf("The policies are those of the cluster, for namespace %q.", namespace), nil
}

// names returns the names to explain: the arguments, those of a profile, or all.
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
		assignments, ok := rules.Profile(o.profile)
		if !ok {
			return nil, usagef("--profile %s: there is no such SysctlProfile; there are %s", o.profile,
				strings.Join(rules.ProfileNames(), ", "))
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
