// Command compare runs the Go benchmarks of this checkout and of another revision of it in turns, and has benchstat compare them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
)

// benchstat is pinned, as what it prints is what people compare.
const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

// packages whose benchmarks are on the path of a request.
var packages = []string{"./webhook/admission", "./webhook/injection", "./webhook/policy", "./webhook/scan", "./webhook/sysctl"}

type options struct {
	base, time string
	rounds     int
	request    bool
}

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "compare", Short: "Compare the speed of this checkout with that of another revision"}
	cmd.Flags().StringVar(&o.base, "base", "", "git revision to compare with")
	cmd.Flags().IntVar(&o.rounds, "rounds", 6, "how often each is run; benchstat needs six to tell a difference from noise")
	cmd.Flags().StringVar(&o.time, "time", "200ms", "of each benchmark, as go test takes it")
	cmd.Flags().BoolVar(&o.request, "request", false, "have both programs take turns in the benchmark of requests besides")
	_ = cmd.MarkFlagRequired("base") // the flag is defined above
	command.Main(cmd, o.run)
}

func (o *options) run(ctx context.Context, out, progress io.Writer) (err error) {
	if o.rounds < 1 || o.rounds > 100 {
		return errors.New("--rounds is from 1 to 100")
	}
	dir, err := os.MkdirTemp("", "compare-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	base := filepath.Join(dir, "base")
	if err := run(ctx, "", progress, progress, "git", "worktree", "add", "--quiet", "--detach", base, o.base); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, run(context.WithoutCancel(ctx), "", progress, progress, "git", "worktree", "remove", "--force", base))
	}()
	if err := o.benchmarks(ctx, dir, base, out, progress); err != nil || !o.request {
		return err
	}
	program := filepath.Join(dir, "sysctl-injector")
	if err := run(ctx, base, progress, progress, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/sysctl-injector"); err != nil {
		return err
	}
	return run(ctx, "", out, progress, "go", "run", "./e2e/bench/request", "--other="+program)
}

// benchmarks runs those of both in turns, so that both see the same machine.
func (o *options) benchmarks(ctx context.Context, dir, base string, out, progress io.Writer) error {
	var results []string
	sides := map[string]string{"base": base, "this": ""}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		for _, name := range []string{"base", "this"} {
			if err := o.measure(ctx, sides[name], filepath.Join(dir, name+".txt"), progress); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, name := range []string{"base", "this"} {
		results = append(results, name+"="+filepath.Join(dir, name+".txt"))
	}
	return run(ctx, "", out, progress, "go", append([]string{"run", benchstat}, results...)...)
}

func (o *options) measure(ctx context.Context, checkout, path string, progress io.Writer) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	// A package that one of the two does not have yet has no benchmarks there.
	args := []string{"test", "-run=^$", "-bench=.", "-benchmem", "-benchtime=" + o.time}
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(checkout, p)); err == nil {
			args = append(args, p)
		}
	}
	return run(ctx, checkout, file, progress, "go", args...)
}

func run(ctx context.Context, dir string, out, progress io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, progress
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w", name, args, err)
	}
	return nil
}
