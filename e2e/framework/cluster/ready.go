package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// stage is a set of parts that start at the same time.
type stage []part

// part is one program of the cluster. The stages that follow wait for all its checks.
type part struct {
	name  string
	path  string
	args  []string
	ready []check
	// command prepares the program to run somewhere else than in the cluster's network.
	command func(path string, args []string) *exec.Cmd
}

// check is one thing to wait for: what it is called in an error, and a test that is repeated until it passes.
type check struct {
	name string
	pass func(context.Context) error
}

// checkPace is short: most waits take a second or two, and every test run has them.
const checkPace = 25 * time.Millisecond

// run starts the parts of a stage and waits until all are ready.
func (c *Cluster) run(ctx context.Context, s stage) error {
	var started []*process
	for _, part := range s {
		process, err := c.launch(part, os.O_TRUNC)
		if err != nil {
			return err
		}
		c.processes = append(c.processes, process)
		started = append(started, process)
	}
	for i, part := range s {
		for _, check := range part.ready {
			if err := c.await(ctx, started[i], check); err != nil {
				return err
			}
		}
	}
	return nil
}

// rareCollection makes the control plane and kubectl collect garbage half as often, which otherwise takes about a third
// of a suite's CPU time. With a higher value, suite grants would need more memory than a test machine has. GOGC in the
// environment wins: benchmarks set it to what a real API server has.
const rareCollection = "GOGC=200"

// launch starts a part. Its log is kept, unless os.O_TRUNC in logFlags empties it.
func (c *Cluster) launch(part part, logFlags int) (*process, error) {
	var cmd *exec.Cmd
	if part.command != nil {
		cmd = part.command(part.path, part.args)
	} else {
		cmd = c.network.command(context.Background(), part.path, part.args)
		cmd.Env = append([]string{rareCollection}, cmd.Environ()...)
	}
	cmd.Env = withoutProxies(cmd.Environ())
	cmd.Dir = c.dir
	process, err := launch(part.name, c.LogPath(part.name), logFlags, cmd)
	if err != nil {
		return nil, err
	}
	process.part = part
	return process, nil
}

// await repeats a check until it passes, and gives up when time is over or when any part has exited.
func (c *Cluster) await(ctx context.Context, p *process, check check) error {
	ticker := time.NewTicker(checkPace)
	defer ticker.Stop()
	last := errors.New("none")
	for {
		err := check.pass(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err // after a timeout, the previous answer says more
		}
		for _, other := range c.processes {
			select {
			case <-other.exited:
				return other.failure("exited while the cluster was starting", other.exitError())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return p.failure("is not ready", fmt.Errorf("%s: %w (the last answer: %w)", check.name,
				context.Cause(ctx), last))
		case <-ticker.C:
		}
	}
}

// answers passes when a URL answers 200.
func answers(client *http.Client, url string) check {
	return check{name: url, pass: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", response.Status, body)
		}
		return nil
	}}
}

// client makes anonymous calls inside the cluster's network without verifying certificates. It is for parts that have
// only a health endpoint.
func (c *Cluster) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:       c.network.dial,
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}
