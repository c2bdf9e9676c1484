package app

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/enrollment"
)

func newUnenrollCommand() *cobra.Command {
	o := &enrollOptions{}
	cmd := &cobra.Command{
		Use:   "unenroll {NAMESPACE... | -l SELECTOR | -A}",
		Short: "Unenroll namespaces: restore their Pod Security labels from before enroll",
		Long: `Unenroll namespaces: restore their Pod Security labels from before enroll.

The command shows the standard that applies afterwards. If it is weaker than the current one, the
command asks whether to continue. If somebody changed the labels after enroll, the command keeps the
Pod Security label.`,
		Example: `  sysctl-injector unenroll shop`,
		RunE: func(cmd *cobra.Command, namespaces []string) error {
			return o.run(cmd, namespaces, o.unenrolling)
		},
		ValidArgsFunction: completeNamespaces(&o.clientOptions),
	}
	o.addFlags(cmd, "unenroll all enrolled namespaces")
	return cmd
}

// unenrolling returns the task of the command unenroll. It also takes the labels from namespaces in which they have no
// effect, such as kube-system: uninstall-check counts these as enrolled.
func (o *enrollOptions) unenrolling(_ context.Context, shared *terms) (task, error) {
	return task{
		plan: func(_ context.Context, namespace *corev1.Namespace) (enrollment.Plan, error) {
			return o.unenroll(shared, namespace)
		},
		selects: func(namespace *corev1.Namespace) bool { return len(enrollment.Unenroll(namespace).Changes()) > 0 },
	}, nil
}

func (o *enrollOptions) unenroll(shared *terms, namespace *corev1.Namespace) (enrollment.Plan, error) {
	plan := enrollment.Unenroll(namespace)
	if len(plan.Changes()) == 0 {
		return plan, nil
	}
	handover, weaker := plan.Handover()
	fmt.Fprintf(shared.questions, "In namespace %q, %s.\n", namespace.Name, handover)
	if !weaker {
		return plan, nil
	}
	fmt.Fprintln(shared.questions, "That may be weaker.")
	return plan, o.confirm(shared, "set the label "+psaapi.EnforceLevelLabel+" afterwards, and add --yes")
}
