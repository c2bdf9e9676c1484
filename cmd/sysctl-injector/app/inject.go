package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	jsonpatch "gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

type injectOptions struct {
	workloadOptions
	output string
}

func newInjectCommand() *cobra.Command {
	o := &injectOptions{}
	cmd := &cobra.Command{
		Use:   "inject -f FILE|DIRECTORY|-",
		Short: "Put the init container into the workloads of manifests, as the webhook would",
		Long: `Put the init container into the workloads of manifests, as the webhook would.

Every kind that holds pods is understood: Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob,
ReplicationController, PodTemplate, lists of them, and a ResourceList, so that it can serve as a KRM function. Lines are only
added: comments, order, quotes and blank lines stay. Running it twice changes nothing more.

Without --policy, RuntimeClass and Namespace objects among the manifests count as those of the cluster. With --policy, the manifests
are under review and do not decide on it: such objects count only in the files that --policy, --profile and --runtime-class name.
A SysctlPolicy among the manifests never counts.

Files that are no Kubernetes objects (Helm templates and values, JSON patches, kustomizations) are skipped, with a line on standard
error; with --strict, they end the run.`,
		Example: `  sysctl-injector inject -f deployment.yaml | kubectl apply -f -
  sysctl-injector inject -f manifests/ -o diff`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addFlags(cmd)
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML, outputJSON, outputDiff)
	return cmd
}

func (o *injectOptions) run(cmd *cobra.Command) error {
	workloads, err := o.read(cmd)
	if err != nil {
		return err
	}
	var rewritten []file
	err = eachFile(workloads.files, func(f file) error {
		content, err := manifest.Rewrite(f.content, func(t manifest.Template) ([]jsonpatch.Operation, error) {
			_, outcome, err := workloads.decide(t)
			for _, warning := range outcome.Warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s: line %d: %s %q: %s\n", f.name, t.Line, t.Kind, t.Name, oneLine(warning))
			}
			return outcome.Operations, err
		})
		rewritten = append(rewritten, file{f.name, content})
		return err
	})
	if err != nil {
		return err
	}
	return o.print(cmd.OutOrStdout(), workloads.files, rewritten)
}

func (o *injectOptions) print(out io.Writer, before, after []file) error {
	switch o.output {
	case outputDiff:
		for i := range before {
			if err := printDiff(out, before[i].name, before[i].content, after[i].content); err != nil {
				return err
			}
		}
		return nil
	case outputJSON:
		return printObjects(out, after)
	}
	for i, f := range after {
		if i > 0 && !bytes.HasPrefix(f.content, []byte("---")) {
			if _, err := io.WriteString(out, "---\n"); err != nil {
				return err
			}
		}
		if _, err := out.Write(f.content); err != nil {
			return err
		}
		if len(after) > 1 && !bytes.HasSuffix(f.content, []byte("\n")) {
			if _, err := io.WriteString(out, "\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// workloadOptions name manifests with workloads, and what to decide on them by.
type workloadOptions struct {
	objectOptions
	containerOptions
	files     []string
	namespace string
	strict    bool
}

func (o *workloadOptions) addFlags(cmd *cobra.Command) {
	o.objectOptions.addFlags(cmd)
	o.containerOptions.addFlags(cmd)
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "file, directory, or - for standard input (repeatable)")
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "default", "namespace of the workloads that name none")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "fail on files that are no Kubernetes objects instead of skipping them")
}

// workloads are manifests, with all that a decision on them needs.
type workloads struct {
	files     []file
	namespace string
	injector  *injection.Injector
	objects   *objects
}

func (o *workloadOptions) read(cmd *cobra.Command) (*workloads, error) {
	if len(o.files) == 0 {
		return nil, usagef("name the manifests: -f FILE, -f DIRECTORY, or -f - for standard input")
	}
	w := &workloads{namespace: o.namespace}
	var err error
	if w.injector, err = o.injector(); err != nil {
		return nil, err
	}
	if w.objects, err = o.load(cmd.InOrStdin()); err != nil {
		return nil, err
	}
	if w.files, err = readFiles(o.files, cmd.InOrStdin()); err != nil {
		return nil, err
	}
	if w.files, err = onlyObjects(w.files, o.strict, cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	return w, eachFile(w.files, func(f file) error {
		warnings, err := w.objects.addReviewed(f.content)
		for _, warning := range warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s: %s\n", f.name, warning)
		}
		return err
	})
}

// decide is the webhook's own decision, on a pod template. A refusal is an error that says where it stands.
func (w *workloads) decide(t manifest.Template) (*pod.Pod, injection.Outcome, error) {
	p, outcome, err := w.outcome(t)
	if err != nil {
		return nil, injection.Outcome{}, fmt.Errorf("line %d: %s %q: %w", t.Line, t.Kind, t.Name, err)
	}
	return p, outcome, nil
}

func (w *workloads) namespaceOf(t manifest.Template) string { return cmp.Or(t.Namespace, w.namespace) }

func (w *workloads) outcome(t manifest.Template) (*pod.Pod, injection.Outcome, error) {
	p, err := pod.Decode(t.Pod)
	if err != nil {
		return nil, injection.Outcome{}, err
	}
	target := injection.Target{Namespace: w.namespaceOf(t), Template: t.Path}
	ctx := context.Background()
	if target.NamespaceLabels, err = w.objects.NamespaceLabels(ctx, target.Namespace); err != nil {
		return nil, injection.Outcome{}, err
	}
	if target.RuntimeClass, err = w.objects.RuntimeClass(ctx, p.RuntimeClass); err != nil {
		return nil, injection.Outcome{}, err
	}
	outcome := w.injector.Inject(p, target, w.objects.rules())
	if outcome.IsDenied() {
		return p, outcome, errors.New(strings.ReplaceAll(outcome.Message(), "\n", "\n  "))
	}
	return p, outcome, nil
}
