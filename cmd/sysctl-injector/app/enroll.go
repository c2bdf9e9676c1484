package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	psaapi "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/enrollment"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
)

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// planner plans the change of one namespace, and tells whether to carry it out.
type planner func(context.Context, client.Client, *corev1.Namespace) (enrollment.Plan, bool, error)

// enrollOptions are for both commands.
type enrollOptions struct {
	clientOptions
	enforce string
	dryRun  string
	yes     bool
}

func newEnrollCommand() *cobra.Command {
	o := &enrollOptions{}
	cmd := &cobra.Command{
		Use:   "enroll NAMESPACE...",
		Short: "Open namespaces for the injected container, and for nothing else",
		Long: `Open namespaces for the injected container, and for nothing else.

Pod Security admission knows no exception for one container: a namespace that it holds to baseline or restricted refuses the
injected one. So the namespace's label is set to privileged, and the guard holds every other container to the standard that
--enforce names. All labels are set in one patch, so that there is no moment in between. The labels for warnings and audit stay.

Before, the workloads of the namespace are judged by that standard. Where some would be refused, they are told, and the command
asks whether to go on.`,
		Example: `  sysctl-injector enroll shop --enforce restricted`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, namespaces []string) error {
			return o.each(cmd, namespaces, func(ctx context.Context, c client.Client, namespace *corev1.Namespace) (enrollment.Plan, bool, error) {
				return o.enroll(ctx, cmd, c, namespace)
			})
		},
	}
	o.addFlags(cmd)
	addChoiceFlag(cmd, &o.enforce, "enforce", "", "the standard for all other containers", string(psaapi.LevelBaseline), enrollment.Levels()...)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "go on without asking")
	return cmd
}

func newUnenrollCommand() *cobra.Command {
	o := &enrollOptions{}
	cmd := &cobra.Command{
		Use:     "unenroll NAMESPACE...",
		Short:   "Give namespaces back to Pod Security admission, as they were before enroll",
		Example: `  sysctl-injector unenroll shop`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, namespaces []string) error {
			return o.each(cmd, namespaces, func(_ context.Context, _ client.Client, namespace *corev1.Namespace) (enrollment.Plan, bool, error) {
				return enrollment.Unenroll(namespace), true, nil
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *enrollOptions) addFlags(cmd *cobra.Command) {
	o.clientOptions.addFlags(cmd)
	addChoiceFlag(cmd, &o.dryRun, "dry-run", "", "show the change without making it, with the API server's verdict (server) or without", dryRunNone, dryRunNone, dryRunClient, dryRunServer)
}

// each plans and carries out the change of each namespace. One that fails keeps none of the others from theirs.
func (o *enrollOptions) each(cmd *cobra.Command, names []string, plan planner) error {
	cluster, err := o.client()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := o.change(cmd, cluster, name, plan); err != nil {
			errs = append(errs, fmt.Errorf("namespace %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (o *enrollOptions) change(cmd *cobra.Command, cluster client.Client, name string, plan planner) error {
	ctx := cmd.Context()
	namespace := &corev1.Namespace{}
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		return err
	}
	planned, goOn, err := plan(ctx, cluster, namespace)
	if err != nil || !goOn {
		return err
	}
	out := cmd.OutOrStdout()
	changes := planned.Changes()
	if len(changes) == 0 {
		fmt.Fprintf(out, "namespace/%s unchanged\n", name)
		return nil
	}
	patch, err := planned.Patch()
	if err != nil {
		return err
	}
	suffix := ""
	switch o.dryRun {
	case dryRunServer:
		suffix = " (server dry run)"
		err = cluster.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, patch), client.DryRunAll)
	case dryRunClient:
		suffix = " (dry run)"
	default:
		err = cluster.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, patch))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "namespace/%s %sed%s\n", name, cmd.Name(), suffix)
	for _, change := range changes {
		fmt.Fprintln(out, "  "+change)
	}
	return nil
}

// enroll is the planner of the command enroll.
func (o *enrollOptions) enroll(ctx context.Context, cmd *cobra.Command, cluster client.Client, namespace *corev1.Namespace) (enrollment.Plan, bool, error) {
	plan := enrollment.Enroll(namespace, o.enforce)
	if o.enforce == string(psaapi.LevelPrivileged) {
		return plan, true, nil
	}
	if err := guardIsInstalled(ctx, cluster); err != nil {
		return plan, false, err
	}
	workloads, err := workloadsOf(ctx, cluster, namespace.Name)
	if err != nil {
		return plan, false, err
	}
	violations, err := enrollment.Violations(workloads, o.enforce)
	if err != nil || len(violations) == 0 {
		return plan, true, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "In namespace %q, new pods of these would be refused by %q:\n", namespace.Name, o.enforce)
	for _, v := range violations {
		fmt.Fprintln(cmd.ErrOrStderr(), "  "+v.String())
	}
	if o.yes || o.dryRun != dryRunNone {
		return plan, true, nil
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Go on? [y/N] ")
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return plan, true, nil
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr())
	}
	return plan, false, errors.New("left as it is; mend the workloads, choose another --enforce, or give --yes")
}

// guardIsInstalled is asked before Pod Security admission is told to step aside: without the guard nothing would take its place.
func guardIsInstalled(ctx context.Context, cluster client.Client) error {
	objects, err := guard.Render(guard.Config{Images: []string{form.DefaultImage()}})
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return fmt.Errorf("the guard is not installed, and nothing else would hold the other containers to a standard: %w", err)
		}
	}
	return nil
}
