package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

// outputReport prints the findings, and no manifests.
const outputReport = "report"

// errLeft is the outcome of convert if something stays. It is not a failure.
var errLeft = errors.New("something stays as it is")

type convertOptions struct {
	workloadOptions
	output  string
	inPlace bool
	native  bool
}

func newConvertCommand() *cobra.Command {
	o := &convertOptions{}
	cmd := &cobra.Command{
		Use:   "convert {-f FILE|DIRECTORY|URL|- | -k DIRECTORY | FILE...}",
		Short: "Turn init containers that set sysctls by hand into the annotation",
		Long: `Turn init containers that set sysctls by hand into the annotation.

The command reads the shell scripts of containers and follows every branch. It changes a container
only on three conditions: it understands the whole script, the pod then sets the same values, and
the webhook would admit the pod. The lines go into the annotation, with >= if the script only raised
a value. The command removes the container, everything that names it, and the volumes that no other
container mounts.

It reports all other containers with file, line and reason, and does not change them: scripts that
do more, node-level sysctls, sidecars, and containers in custom resources, values of charts and
ConfigMaps. The report goes to standard error, or to standard output with -o report and --in-place.
A second run changes nothing.

The exit code is 0 if nothing stays, 3 if something stays, 1 if convert failed, and 2 for wrong
flags or arguments. With -o report, which converts nothing, it is 3 if there is anything to convert.`,
		Example: `  sysctl-injector convert -f statefulset.yaml -o diff
  sysctl-injector convert -f manifests/ --in-place
  helm template search example/search | sysctl-injector convert -f - -o report`,
		RunE: func(cmd *cobra.Command, files []string) error { return o.run(cmd, files) },
	}
	o.addFlags(cmd)
	asksNoCluster(cmd)
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML, outputJSON, outputDiff, outputReport)
	cmd.Flags().BoolVar(&o.native, "native", false,
		"also convert unsafe native sysctls (securityContext.sysctls), and write lines as native sysctls if every "+
			"kubelet of --kubernetes-version counts them as safe")
	cmd.Flags().BoolVar(&o.inPlace, "in-place", false, "write the files instead of printing them")
	return cmd
}

func (o *convertOptions) run(cmd *cobra.Command, files []string) error {
	if o.inPlace && (!o.fromFiles(files) || cmd.Flags().Changed("output")) {
		return usagef("--in-place writes files: it cannot be combined with -f -, a URL, -k or -o")
	}
	workloads, err := o.open(cmd, files)
	if err != nil {
		return err
	}
	if o.strict {
		if _, err := onlyObjects(workloads.files, true, cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	minor, err := form.ParseKubernetes(o.kubernetesVersion)
	if err != nil {
		return usagef("--kubernetes-version: %q: %w", o.kubernetesVersion, err)
	}
	c := &conversion{workloads: workloads, native: o.native, minor: minor, guests: sets.New(o.guestHandlers...),
		warn: cmd.ErrOrStderr()}
	if err := eachFile(workloads.files, c.add); err != nil {
		return err
	}
	converted, err := workloads.rewriteEach(c.file)
	if err != nil {
		return err
	}
	c.stillNamed()
	report := cmd.ErrOrStderr()
	switch {
	case o.inPlace:
		report = cmd.OutOrStdout()
		err = writeChanged(workloads.files, converted)
	case o.output == outputReport:
		report = cmd.OutOrStdout()
	default:
		err = printConverted(cmd.OutOrStdout(), o.output, workloads.files, converted)
	}
	reported := c.report(report, o.output != outputReport) // also after an error: files may have changed
	if err != nil {
		return err
	}
	return reported
}

// writeChanged replaces the changed files. Each replacement is atomic. After an error, it goes on with the next file.
func writeChanged(before, after []file) error {
	var errs []error
	for i, f := range after {
		if bytes.Equal(f.content, before[i].content) {
			continue
		}
		if err := replaceFile(f); err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

func replaceFile(f file) error {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".convert-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(f.content)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// printConverted prints the manifests as inject does. As JSON it leaves out files that cannot be read.
func printConverted(out io.Writer, format string, before, after []file) error {
	after = slices.DeleteFunc(slices.Clone(after), func(f file) bool {
		_, err := manifest.Objects(f.content)
		return err != nil && format == outputJSON
	})
	return printManifests(out, format, before, after)
}
