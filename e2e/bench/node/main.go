//go:build linux

// Command node measures how long a pod takes from its creation to the start of its app on a real node: without an
// init container, with an ordinary one that does nothing, and with the injected one; and where the time goes. All are
// measured in one run, in turns, on one cluster.
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

// longest bounds a run, should the node stop answering.
const longest = time.Hour

type options struct {
	pods int
}

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "node", Short: "Measure what injection adds to a pod's start on a real node"}
	cmd.Flags().IntVar(&o.pods, "pods", 30, "pods of each case")
	command.Measure(cmd, o.run)
}

func (o *options) run(ctx context.Context, progress io.Writer) (r report.Report, err error) {
	const most = 1000
	if o.pods < 1 || o.pods > most {
		return r, fmt.Errorf("--pods is from 1 to %d", most)
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	// At this level the kubelet logs when it learns of a pod, and of a container's end.
	err = command.Installed(ctx, cluster.Config{Node: true, KubeletArgs: []string{"--v=2"}, Progress: progress},
		func(c *cluster.Cluster, _ *installation.Installation) error {
			if output, err := c.Command(ctx, "kubectl", "apply", "-f", "deploy/guard.yaml").
				CombinedOutput(); err != nil {
				return fmt.Errorf("install the guard: %w: %s", err, output)
			}
			b, err := newBench(ctx, c)
			if err != nil {
				return err
			}
			if err := b.measure(ctx, o.pods, progress); err != nil {
				return err
			}
			r = b.report(c.Version())
			return nil
		})
	return r, err
}
