package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	psaapi "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/enrollment"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// task is what a command does with namespaces.
type task struct {
	// plan plans the change of one namespace. If it returns an error, the namespace does not change.
	plan func(context.Context, *corev1.Namespace) (enrollment.Plan, error)
	// selects reports whether -l and -A include a namespace.
	selects func(*corev1.Namespace) bool
}

// enrollOptions are the options of both commands.
type enrollOptions struct {
	namespaceOptions
	enforce  string
	defaults []string
	dryRun   string
	yes      bool
}

// terms are what all namespaces of one command share, such as the cluster and the terminal.
type terms struct {
	cluster client.Client
	version string // of Kubernetes
	// answers reads the answers to all questions. A second reader would miss the bytes that the first has buffered.
	answers   *bufio.Reader
	questions io.Writer
}

func newEnrollCommand() *cobra.Command {
	o := &enrollOptions{}
	cmd := &cobra.Command{
		Use:   "enroll {NAMESPACE... | -l SELECTOR | -A}",
		Short: "Enroll namespaces: open them for the injected container, and for nothing else",
		Long: `Enroll namespaces: open them for the injected container, and for nothing else.

Pod Security admission has no exception for one container. In a namespace with the standard baseline
or restricted, it rejects the injected container. So the command sets the namespace's label to
privileged, and the guard holds every other container to the standard of --enforce (default: the
namespace's current standard). The command sets all labels in one patch, so a standard applies at
every moment. The labels for warnings and audit stay.

First, the command checks that the installed guard has this version and covers the namespace. It
also checks the namespace's workloads against the standard. If the guard would reject some, the
command shows them and asks whether to continue.

With --defaults, the namespace also gets the label that applies profiles to pods that do not name
them. The command checks that the named profiles apply there by default, and shows all profiles that
do.`,
		Example: `  sysctl-injector enroll shop --enforce restricted
  sysctl-injector enroll -l team=web --defaults nginx`,
		RunE: func(cmd *cobra.Command, namespaces []string) error {
			return o.run(cmd, namespaces, o.enrolling)
		},
		ValidArgsFunction: completeNamespaces(&o.clientOptions),
	}
	o.addFlags(cmd, "enroll all namespaces where the webhook and the guard act")
	cmd.Flags().StringSliceVar(&o.defaults, "defaults", nil,
		"`profile` that applies to pods by default; its spec.appliesTo must select the namespace "+
			"(comma-separated or repeated)")
	completeFlag(cmd, "defaults", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return o.namesOf(v1alpha1.GroupVersion.WithKind("SysctlProfile")), cobra.ShellCompDirectiveNoFileComp
	})
	addChoiceFlag(cmd, &o.enforce, "enforce", "", "standard for all other containers (default: the current one)", "",
		inspect.Levels()...)
	return cmd
}

func (o *enrollOptions) addFlags(cmd *cobra.Command, all string) {
	o.namespaceOptions.addFlags(cmd, all)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "continue without asking")
	addChoiceFlag(cmd, &o.dryRun, "dry-run", "",
		"show the change without making it; server also asks the API server whether it would accept the change",
		dryRunNone, dryRunNone, dryRunClient, dryRunServer)
}

// run changes namespaces. It calls begin once, as soon as it can ask the cluster.
func (o *enrollOptions) run(cmd *cobra.Command, arguments []string,
	begin func(context.Context, *terms) (task, error)) error {
	if err := o.check(arguments); err != nil {
		return err
	}
	cluster, version, err := o.client()
	if err != nil {
		return err
	}
	shared := &terms{cluster: cluster, version: version, answers: bufio.NewReader(cmd.InOrStdin()),
		questions: cmd.ErrOrStderr()}
	return o.each(cmd, shared, arguments, begin)
}

// each plans and carries out the change of each namespace. After a failure, it continues with the next namespace.
func (o *enrollOptions) each(cmd *cobra.Command, shared *terms, arguments []string,
	begin func(context.Context, *terms) (task, error)) error {
	work, err := begin(cmd.Context(), shared)
	if err != nil {
		return err
	}
	names, err := o.names(cmd.Context(), shared.cluster, arguments, work.selects)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := o.change(cmd, shared, name, work); err != nil {
			errs = append(errs, fmt.Errorf("namespace %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (o *enrollOptions) change(cmd *cobra.Command, shared *terms, name string, work task) error {
	ctx, cluster := cmd.Context(), shared.cluster
	namespace := &corev1.Namespace{}
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
		return err
	}
	if err := warnOfKeys(cmd.ErrOrStderr(), namespace); err != nil {
		return err
	}
	planned, err := work.plan(ctx, namespace)
	if err != nil {
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

// warnOfKeys warns of the project's keys that have no effect in a namespace. It skips labels with wrong values, since
// the plan corrects them.
func warnOfKeys(errOut io.Writer, namespace *corev1.Namespace) error {
	encoded, err := json.Marshal(namespace)
	if err != nil {
		return err
	}
	object := inspect.Object{APIVersion: corev1.SchemeGroupVersion.String(), Kind: "Namespace",
		JSON: gjson.ParseBytes(encoded)}
	for _, f := range inspect.Keys(object, nil) {
		if f.Reason != inspect.ReasonUnknownValue {
			fmt.Fprintf(errOut, "Warning: namespace %q: %s\n", namespace.Name, oneLine(f.Err.Error()))
		}
	}
	return nil
}

// enrolling returns the task of the command enroll.
func (o *enrollOptions) enrolling(ctx context.Context, shared *terms) (task, error) {
	g, err := guardOf(ctx, shared.cluster, shared.version)
	return task{
		plan: func(ctx context.Context, namespace *corev1.Namespace) (enrollment.Plan, error) {
			return o.enroll(ctx, shared, g, namespace)
		},
		selects: func(namespace *corev1.Namespace) bool { return !g.Excludes(namespace.Labels) },
	}, err
}

func (o *enrollOptions) enroll(ctx context.Context, shared *terms, g inspect.Guarding,
	namespace *corev1.Namespace) (enrollment.Plan, error) {
	level := cmp.Or(o.enforce, inspect.CurrentLevel(namespace.Labels))
	plan := enrollment.Enroll(namespace, level)
	if len(o.defaults) > 0 {
		plan.EnableDefaults()
		if err := o.checkDefaults(ctx, shared, plan.Labels()); err != nil {
			return plan, err
		}
	}
	if g.Excludes(plan.Labels()) {
		return plan, errors.New("neither the webhook nor the guard acts in this namespace, so it cannot be enrolled")
	}
	if level == string(psaapi.LevelPrivileged) { // nothing holds the containers then, so no guard is needed
		return plan, nil
	}
	if err := g.Installed.Covers(g.Rendered, plan.Labels()); err != nil {
		return plan, fmt.Errorf("nothing would hold the other containers to %q: %w; %s", level, err,
			guardRemedy(ctx, shared.cluster, g))
	}
	if len(plan.Changes()) == 0 { // there is nothing to ask about
		return plan, nil
	}
	workloads, err := workloadsOf(ctx, shared.cluster, namespace.Name)
	if err != nil {
		return plan, err
	}
	violations, err := inspect.Violations(workloads, level, shared.version, g.Installed.Exceptions(g.Rendered))
	if err != nil || len(violations) == 0 {
		return plan, err
	}
	fmt.Fprintf(shared.questions, "In namespace %q, %q would reject new pods of these workloads:\n", namespace.Name,
		level)
	for _, v := range violations {
		fmt.Fprintln(shared.questions, "  "+oneLine(v.String()))
	}
	return plan, o.confirm(shared, "fix the workloads, choose another --enforce, or add --yes")
}

// confirm asks whether to continue, and returns an error that says what to do instead if the answer is not yes.
func (o *enrollOptions) confirm(shared *terms, instead string) error {
	if o.yes || o.dryRun != dryRunNone {
		return nil
	}
	fmt.Fprint(shared.questions, "Continue? [y/N] ")
	answer, err := shared.answers.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(shared.questions) // end the line of the question
	}
	return fmt.Errorf("nothing was changed; %s", instead)
}
