package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

type checkOptions struct {
	clientOptions
	pre          bool
	certificates string
	wait         time.Duration
	output       string
}

// checkReport is what `check -o json` prints.
type checkReport struct {
	// Version is the version of the command.
	Version    string          `json:"version"`
	Kubernetes string          `json:"kubernetes"`
	Namespace  string          `json:"namespace"`
	Installed  bool            `json:"installed"`
	Checks     []inspect.Check `json:"checks"`
	Counts     inspect.Counts  `json:"counts"`
}

func newCheckCommand() *cobra.Command {
	o := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that a cluster is fit for an install, or that an installation is healthy",
		Long: `Check that a cluster is fit for an install, or that an installation is healthy and its namespaces
are labelled correctly.

The command only reads, with your permissions. Each line is a check:

  ✓  nothing needs to change
  ✗  something is broken or missing, or the API server could not return it
  !  something may not be as intended, or was not checked, for example because you may not read it

Below a line with ✗ or !, the command prints the fix. $CHART in a fix is the chart's folder.

With --pre, or if nothing is installed, the command checks what an install needs: the version and
the APIs, cert-manager, your permissions, and the nodes. Otherwise it checks the installation: its
CRDs, webhook configurations, certificate, servers and guard, and the policies, namespaces and
grants.

The exit code is 1 if a check failed (✗), and 0 otherwise. Warnings, and checks that were not made,
do not count.`,
		Example: `  sysctl-injector check --pre
  sysctl-injector check --wait 3m
  sysctl-injector check -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addNamespacedFlags(cmd,
		"`namespace` of the installation (default: the namespace of the webhook's service, or "+
			inspect.SystemNamespace+")")
	flags := cmd.Flags()
	flags.BoolVar(&o.pre, "pre", false, "check what an install needs, even if something is installed")
	addChoiceFlag(cmd, &o.certificates, "certificates", "",
		"chart value certificates.source of the planned install",
		inspect.CertManager, inspect.CertificateSources()...)
	flags.DurationVar(&o.wait, "wait", 0, "repeat the checks until none fails, for at most this long")
	addOutputFlag(cmd, &o.output, outputTable, outputTable, outputJSON)
	return cmd
}

// checkPace is the time between two runs of the checks with --wait.
const checkPace = 2 * time.Second

func (o *checkOptions) run(cmd *cobra.Command) error {
	if o.wait < 0 {
		return usagef("--wait: %s is negative", o.wait)
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	reader, err := newCheckReader(config)
	if err != nil {
		return err
	}
	progress := progressOn(cmd.ErrOrStderr())
	defer progress("")
	end := time.Now().Add(o.wait)
	for {
		report, err := o.report(cmd.Context(), reader)
		last := !time.Now().Before(end)
		switch {
		case err != nil && (last || errors.As(err, new(usageError))):
			return err
		case err != nil:
			progress("Waiting: " + err.Error())
		case last || report.Counts.Failed == 0:
			progress("")
			return o.finish(cmd, report)
		default:
			progress("Waiting: " + failedChecks(report.Counts.Failed))
		}
		select {
		case <-cmd.Context().Done():
			return context.Cause(cmd.Context())
		case <-time.After(min(checkPace, max(0, time.Until(end))+time.Millisecond)):
		}
	}
}

// finish prints a report, and returns an error if a check failed.
func (o *checkOptions) finish(cmd *cobra.Command, report checkReport) error {
	var err error
	if o.output == outputJSON {
		err = printAs(cmd.OutOrStdout(), outputJSON, report)
	} else {
		err = printChecks(cmd.OutOrStdout(), report)
	}
	if err == nil && report.Counts.Failed > 0 {
		err = errors.New(failedChecks(report.Counts.Failed))
	}
	return err
}

func failedChecks(number int) string {
	if number == 1 {
		return "1 check failed"
	}
	return fmt.Sprintf("%d checks failed", number)
}

// report runs all checks once.
func (o *checkOptions) report(ctx context.Context, reader *checkReader) (checkReport, error) {
	server, err := reader.apiServer()
	if err != nil {
		return checkReport{}, err
	}
	e := &examination{checkReader: reader, server: server, version: buildVersion(), now: time.Now()}
	if err := e.readFirst(ctx); err != nil {
		return checkReport{}, err
	}
	named, found := *o.config.Namespace, e.webhooks.Namespace()
	if named != "" && found != "" && named != found {
		return checkReport{}, usagef("--namespace: the installation is in namespace %q", found)
	}
	e.namespace = cmp.Or(named, found, inspect.SystemNamespace)
	if e.webhooksErr != nil && named == "" {
		e.namespaceErr = fmt.Errorf("its namespace is not known, name it with -n: %w", e.webhooksErr)
	}
	installed := !o.pre
	if installed {
		if installed, err = e.isInstalled(ctx); err != nil {
			return checkReport{}, err
		}
	}
	if installed {
		err = e.afterInstall(ctx)
	} else {
		err = e.beforeInstall(ctx, o.certificates)
	}
	if err != nil {
		return checkReport{}, err
	}
	inspect.AddReinstall(e.checks, e.namespace, e.settings)
	inspect.Sort(e.checks)
	return checkReport{
		Version: e.version, Kubernetes: server.Version, Namespace: e.namespace, Installed: installed,
		Checks: e.checks, Counts: inspect.Count(e.checks),
	}, nil
}
