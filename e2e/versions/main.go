// Command versions runs the suites that depend on the Kubernetes version against each version that e2e/kubernetes has
// a module for, and writes the results into docs/compatibility.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// suites are the ones that depend on the version of the API server.
var suites = []string{"admission", "neighbours", "guard", "grants", "hostile", "chart", "certs", "mutating"}

// since is the first version in which a suite can run: the one with the final version of MutatingAdmissionPolicy.
var since = map[string]string{"mutating": "v1.36"}

// needed are the modules below e2e/ that the suites run besides Kubernetes.
var needed = []string{"helm", "certmanager"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var page string
	var oldest bool
	cmd := &cobra.Command{
		Use:          "versions [VERSION...]",
		Short:        "Run the suites against versions of Kubernetes (1.31), or against all of them",
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, wanted []string) error {
			versions, err := choose(wanted, oldest)
			if err != nil {
				return err
			}
			return run(cmd.Context(), cmd.OutOrStdout(), versions, page)
		},
	}
	cmd.Flags().BoolVar(&oldest, "oldest", false, "run the oldest version only")
	cmd.Flags().StringVar(&page, "page", "", "the page whose table to write: docs/compatibility.md")
	return cmd
}

// choose returns the versions to run, oldest first.
func choose(wanted []string, oldest bool) ([]string, error) {
	versions, err := tools.KubernetesVersions()
	if err != nil {
		return nil, err
	}
	versions = slices.DeleteFunc(versions,
		func(version string) bool { return version == tools.LastWithPodSecurityPolicy })
	switch {
	case oldest && len(wanted) > 0:
		return nil, errors.New("--oldest chooses the version, so name none")
	case oldest:
		return versions[:1], nil
	case len(wanted) == 0:
		return versions, nil
	}
	for _, version := range wanted {
		if !slices.Contains(versions, version) {
			return nil, fmt.Errorf("%q is not one of the versions in e2e/kubernetes: %s", version,
				strings.Join(versions, ", "))
		}
	}
	return slices.DeleteFunc(versions, func(version string) bool { return !slices.Contains(wanted, version) }), nil
}

// run runs the suites on each version. It writes the page after each one, so that an interrupted run keeps its
// results.
func run(ctx context.Context, out io.Writer, versions []string, page string) error {
	for _, name := range needed {
		if _, err := tools.Ensure(ctx, name, os.Stderr); err != nil {
			return err
		}
	}
	var failed []string
	for _, version := range versions {
		built, err := tools.Ensure(ctx, tools.Kubernetes+"/"+version, os.Stderr)
		if err != nil {
			return err
		}
		r := row{release: built.Version}
		for _, suite := range suites {
			if first := since[suite]; minor(built.Version) < minor(first) {
				r.results = append(r.results, result{suite: suite, needs: first})
				continue
			}
			result, err := test(ctx, version, suite)
			if err != nil {
				return err
			}
			if !result.passed() {
				failed = append(failed, fmt.Sprintf("%s on %s", suite, built.Version))
			}
			fmt.Fprintf(out, "%s%s %s: %s in %s\n", result.closing, built.Version, suite, result, result.took)
			r.results = append(r.results, result)
		}
		if page == "" {
			continue
		}
		if err := write(page, r); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}
