package cluster

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// Signal sends a signal to a part, by the name that its log has: SIGSTOP and SIGCONT make it pause.
func (c *Cluster) Signal(part string, signal os.Signal) error {
	i, err := c.find(part)
	if err != nil {
		return err
	}
	return c.processes[i].cmd.Process.Signal(signal)
}

// Restart kills a part, starts it again, and returns when it is ready. Further flags win over those that it had.
// Nothing else may be started in the cluster at the same time, on a node least of all.
func (c *Cluster) Restart(ctx context.Context, part string, flags ...string) error {
	i, err := c.find(part)
	if err != nil {
		return err
	}
	former := c.processes[i]
	former.part.args = slices.Concat(former.part.args, flags)
	former.kill()
	<-former.exited
	process, err := c.launch(former.part, 0) // after the log of the former process
	if err != nil {
		return err
	}
	c.processes[i] = process
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	for _, check := range former.part.ready {
		if err := c.await(ctx, process, check); err != nil {
			return err
		}
	}
	return nil
}

const restartTimeout = time.Minute

func (c *Cluster) find(part string) (int, error) {
	i := slices.IndexFunc(c.processes, func(p *process) bool { return p.name == part })
	if i < 0 {
		return i, fmt.Errorf("the cluster has no part %q", part)
	}
	return i, nil
}
