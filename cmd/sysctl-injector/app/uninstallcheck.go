package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

func newUninstallCheckCommand() *cobra.Command {
	o := &clientOptions{}
	cmd := &cobra.Command{
		Use:   "uninstall-check",
		Short: "Check that no namespace is enrolled, so that it is safe to uninstall",
		Long: `Check that no namespace is enrolled, so that it is safe to uninstall.

The Pod Security label of an enrolled namespace admits every pod, and only the guard holds its pods
to a standard. Without the guard, nothing does. A namespace counts as enrolled if the guard acts
there: one of the labels sysctl-injector.dev/inject and sysctl-injector.dev/enforce is enough, with
any value. The chart runs this command before "helm uninstall" deletes anything.`,
		Example: `  sysctl-injector uninstall-check`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, _, err := o.client()
			if err != nil {
				return err
			}
			var namespaces corev1.NamespaceList
			if err := listAll(cmd.Context(), cluster, &namespaces); err != nil {
				return fmt.Errorf("list namespaces: %w", err)
			}
			var enrolled []string
			for _, namespace := range namespaces.Items {
				if inspect.IsGuarded(namespace.Labels) {
					enrolled = append(enrolled, namespace.Name)
				}
			}
			if len(enrolled) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "no namespace is enrolled")
				return nil
			}
			slices.Sort(enrolled)
			return fmt.Errorf("these namespaces are still enrolled: %s; without sysctl-injector, nothing holds "+
				"their pods to a Pod Security Standard, and pods start there without their sysctls; run first: "+
				"sysctl-injector unenroll %s",
				strings.Join(enrolled, ", "), strings.Join(enrolled, " "))
		},
	}
	o.addFlags(cmd)
	return cmd
}
