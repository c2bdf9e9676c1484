package app

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	jsonpatch "gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

type injectOptions struct {
	workloadOptions
	output string
	quiet  bool
}

func newInjectCommand() *cobra.Command {
	o := &injectOptions{}
	cmd := &cobra.Command{
		Use:   "inject {-f FILE|DIRECTORY|URL|- | -k DIRECTORY | FILE...}",
		Short: "Put the init container into the workloads of manifests, as the webhook would",
		Long: `Put the init container into the workloads of manifests, as the webhook would.

The command knows every built-in kind with pods: Pod, Deployment, StatefulSet, DaemonSet,
ReplicaSet, Job, CronJob, ReplicationController, PodTemplate, and lists of them. It also reads a
ResourceList, so it can be used as a KRM function. In other kinds, it finds a pod template by its
shape, with a warning, or by --template-path. It prints the outcome for each workload to standard
error. A key that has no effect in its place, such as the annotation in a Deployment's own metadata,
is an error.

The command only adds lines: comments, order, quotes and blank lines stay. A second run changes
nothing.

Without --policy, RuntimeClass and Namespace objects among the manifests count as those of the
cluster. With --policy, the manifests are under review, and such objects count only from the files
of --policy, --profile and --runtime-class. A SysctlPolicy among the manifests never counts.

Files that are not Kubernetes objects (Helm templates and values, JSON patches, kustomizations) are
skipped, with a line on standard error. With --strict, such a file ends the run. So does one of our
keys outside a pod template in an unknown kind.`,
		Example: `  sysctl-injector inject -f deployment.yaml | kubectl apply -f -
  sysctl-injector inject -f manifests/ -o diff
  sysctl-injector inject -f search.yaml \
    --template-path 'Elasticsearch.elasticsearch.k8s.elastic.co=spec.nodeSets[*].podTemplate'`,
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	o.addFlags(cmd)
	asksNoCluster(cmd)
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML, outputJSON, outputDiff)
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not print the outcome for each workload")
	return cmd
}

func (o *injectOptions) run(cmd *cobra.Command, files []string) error {
	workloads, err := o.read(cmd, files)
	if err != nil {
		return err
	}
	var done []string
	rewritten, err := workloads.rewriteEach(func(f file) ([]byte, error) {
		others := 0 // objects that hold no pods
		find := func(o manifest.Object) []workload.Location {
			places := workloads.find(o)
			if len(places) == 0 {
				others++
			}
			return places
		}
		inject := func(t manifest.Template) ([]jsonpatch.Operation, error) {
			_, outcome, err := workloads.decide(f, t, cmd.ErrOrStderr())
			if t.ByShape && len(outcome.Operations) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(),
					"Warning: %s: %s: this kind is not known; the pod template was found by its shape. "+
						"Check that the pods get its annotations and init containers\n", f.name, nameOf(t))
			}
			if err == nil {
				done = append(done, fmt.Sprintf("%s: %s: %s", f.name, nameOf(t), whatWasDone(outcome)))
			}
			return outcome.Operations, err
		}
		content, err := manifest.Rewrite(f.content, find, inject)
		if others > 0 {
			done = append(done, fmt.Sprintf("%s: objects without pods, passed through: %d", f.name, others))
		}
		return content, err
	})
	if err != nil {
		return err
	}
	if !o.quiet {
		for _, line := range done {
			fmt.Fprintln(cmd.ErrOrStderr(), line)
		}
	}
	return printManifests(cmd.OutOrStdout(), o.output, workloads.files, rewritten)
}

// whatWasDone returns what inject did with a pod template.
func whatWasDone(outcome injection.Outcome) string {
	var set []string
	for _, s := range outcome.Sysctls {
		set = append(set, s.String())
	}
	switch outcome.Reason {
	case injection.ReasonInjected:
		return "injected; sets " + oneLine(strings.Join(set, ", "))
	case injection.ReasonAlreadyInjected:
		return "unchanged; sets " + oneLine(strings.Join(set, ", "))
	case reasonParameterized:
		return "unchanged, since it contains a parameter"
	case injection.ReasonOptedOut:
		return "left alone, as its annotation " + v1alpha1.InjectAnnotation + " says"
	}
	return "asks for no sysctl"
}

// printManifests prints manifests in a format, or their changes as a diff.
func printManifests(out io.Writer, format string, before, after []file) error {
	switch format {
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
		if i > 0 {
			f.content = bytes.TrimPrefix(f.content, []byte("\uFEFF")) // a byte order mark, which is for the first one
		}
		if i > 0 && !bytes.HasPrefix(f.content, []byte("---")) {
			separator := "---\n"
			if manifest.StartsWithDirective(f.content) {
				separator = "...\n"
			}
			if _, err := io.WriteString(out, separator); err != nil {
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
