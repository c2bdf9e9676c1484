// Command memory measures how much memory the server keeps resident and how soon it is ready: on an empty cluster,
// after a load of admissions, beside many pods of namespaces that are not enrolled, and with many injected pods and
// their grants. All of it is measured in one run, on one cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

type options struct {
	namespaces, pods, admissions, restarts int
}

// longest bounds a run, should the cluster stop answering.
const longest = 20 * time.Minute

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "memory",
		Short: "Measure the server's memory and its start, with few pods and with many"}
	cmd.Flags().IntVar(&o.namespaces, "namespaces", 500, "namespaces that are not enrolled, and as many that are")
	cmd.Flags().IntVar(&o.pods, "pods", 20, "pods in each of them")
	cmd.Flags().IntVar(&o.admissions, "admissions", 2000, "admissions of the load")
	cmd.Flags().IntVar(&o.restarts, "restarts", 3, "starts of which the median is shown")
	command.Measure(cmd, o.run)
}

func (o *options) run(ctx context.Context, progress io.Writer) (r report.Report, err error) {
	for _, flag := range []struct {
		name        string
		value, most int
	}{{"namespaces", o.namespaces, 2000}, {"pods", o.pods, 100}, {"admissions", o.admissions, 100000},
		{"restarts", o.restarts, 9}} {
		if flag.value < 1 || flag.value > flag.most {
			return r, fmt.Errorf("--%s is from 1 to %d", flag.name, flag.most)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err = command.Installed(ctx, cluster.Config{Progress: progress},
		func(c *cluster.Cluster, installed *installation.Installation) error {
			b, err := newBench(c, installed, *o, progress)
			if err != nil {
				return err
			}
			if err := b.run(ctx); err != nil {
				return fmt.Errorf("%w; the end of the server's log:\n%s", err,
					installation.Tail(installed.Server().Log(), 20))
			}
			r = b.report(c.Version())
			return nil
		})
	return r, err
}
