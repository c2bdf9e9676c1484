package app

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	jsonpatch "gomodules.xyz/jsonpatch/v2"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

type uninjectOptions struct {
	fileOptions
	pullSecrets []string
	output      string
	quiet       bool
}

func newUninjectCommand() *cobra.Command {
	o := &uninjectOptions{}
	cmd := &cobra.Command{
		Use:   "uninject {-f FILE|DIRECTORY|URL|- | -k DIRECTORY | FILE...}",
		Short: "Remove the init container and its traces from the workloads of manifests",
		Long: `Remove the init container and its traces from the workloads of manifests: the opposite of inject.

The command removes the init container, the label sysctl-injector.dev/injected, the annotation
sysctl-injector.dev/status and the native sysctls that the status names. The annotations that ask
for sysctls stay, and so do comments, order, quotes and blank lines. After inject and uninject, a
manifest is the same as before.

Pull secrets stay, unless --init-image-pull-secret names them.`,
		Example: `  sysctl-injector uninject -f deployment.yaml
  kubectl get deployment web -o yaml | sysctl-injector uninject -f - -o diff`,
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	o.addFlags(cmd)
	o.addStrictFlag(cmd, "files that are not Kubernetes objects")
	flags := cmd.Flags()
	flags.StringSliceVar(&o.pullSecrets, "init-image-pull-secret", nil,
		"name of a pull Secret to remove too (repeatable)")
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML, outputJSON, outputDiff)
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "do not print the outcome for each workload")
	return cmd
}

func (o *uninjectOptions) run(cmd *cobra.Command, arguments []string) error {
	finder, err := o.finder()
	if err != nil {
		return err
	}
	files, err := o.readManifests(cmd, arguments)
	if err != nil {
		return err
	}
	if files, err = onlyObjects(files, o.strict, cmd.ErrOrStderr()); err != nil {
		return err
	}
	workloads := &workloads{files: files, finder: finder}
	var done []string
	rewritten, err := workloads.rewriteEach(func(f file) ([]byte, error) {
		uninject := func(t manifest.Template) ([]jsonpatch.Operation, error) {
			removal := injection.Uninject(t.Pod, o.pullSecrets)
			what := "was not injected"
			if len(removal.Removed) > 0 {
				what = "removed " + strings.Join(removal.Removed, ", ")
			}
			done = append(done, fmt.Sprintf("%s: %s: %s", f.name, nameOf(t), what))
			return removal.Operations, nil
		}
		return manifest.Rewrite(f.content, workloads.find, uninject)
	})
	if err != nil {
		return err
	}
	if !o.quiet {
		for _, line := range done {
			fmt.Fprintln(cmd.ErrOrStderr(), line)
		}
	}
	return printManifests(cmd.OutOrStdout(), o.output, files, rewritten)
}
