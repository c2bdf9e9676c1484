package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// timeout bounds one suite.
const timeout = "20m"

// skip is a test that did not run, and why.
type skip struct{ test, reason string }

// result is the result of one suite on one version.
type result struct {
	suite       string
	needs       string // the first version that can run it, if this one cannot
	ran, failed int    // tests, with subtests
	skipped     []skip
	broken      bool // the run failed without a failed test: it did not compile, or TestMain failed
	took        time.Duration
	closing     string // go test's own last line about the suite
}

func (r result) passed() bool { return r.failed == 0 && !r.broken }

func (r result) String() string {
	if r.needs != "" {
		return "needs " + r.needs
	}
	text := fmt.Sprintf("%d passed", r.ran-r.failed)
	if r.failed > 0 {
		text += fmt.Sprintf(", %d FAILED", r.failed)
	} else if r.broken {
		text += ", FAILED"
	}
	if len(r.skipped) > 0 {
		text += fmt.Sprintf(", %d skipped", len(r.skipped))
	}
	return text
}

// test runs a suite on a version. A failed suite is a result; the error is for a suite that could not be run.
func test(ctx context.Context, version, suite string) (result, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout="+timeout, "./e2e/suites/"+suite)
	cmd.Env = append(os.Environ(), cluster.VersionVariable+"="+version, clustertest.Wanted+"=1")
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	r, readErr := read(output, os.Stderr)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return result{}, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return result{}, fmt.Errorf("run suite %s: %w", suite, err)
	}
	r.suite, r.took, r.broken = suite, time.Since(began).Round(time.Second), err != nil
	return r, readErr
}

// event is a line of `go test -json`.
type event struct{ Action, Test, Output string }

// log matches a line that a test logs: its file and line, and then the text.
var log = regexp.MustCompile(`^\s*\S+_test\.go:\d+: |^\s*\S+\.go:\d+: `)

// read counts the tests of a run, and prints the output of those that fail.
func read(events io.Reader, failures io.Writer) (result, error) {
	var r result
	output := map[string][]string{}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			fmt.Fprintf(failures, "%s\n", line) // a line that a program printed beside the tests
			continue
		}
		switch {
		case e.Action == "output":
			output[e.Test] = append(output[e.Test], e.Output)
			if e.Test == "" {
				r.closing = e.Output
			}
		case e.Action == "build-output":
			fmt.Fprint(failures, e.Output)
		case e.Test == "" && e.Action == "fail":
			fmt.Fprint(failures, strings.Join(output[""], ""))
		case e.Test == "":
		case e.Action == "pass":
			r.ran++
		case e.Action == "fail":
			r.ran++
			r.failed++
			fmt.Fprint(failures, strings.Join(output[e.Test], ""))
		case e.Action == "skip":
			r.skipped = append(r.skipped, skip{e.Test, reason(output[e.Test])})
		}
	}
	slices.SortFunc(r.skipped, func(a, b skip) int { return strings.Compare(a.test, b.test) })
	return r, lines.Err()
}

// reason is the text that a skipped test printed last.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if place := log.FindString(line); place != "" {
			return strings.TrimSpace(strings.TrimPrefix(line, place))
		}
	}
	return "no reason given"
}
