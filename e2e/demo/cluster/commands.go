package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	patience = time.Minute
	pace     = 100 * time.Millisecond
)

// run shows a command and what it prints, and expects it to succeed.
func (s *story) run(ctx context.Context, args ...string) (string, error) {
	s.Command(shown(args))
	output, err := s.output(ctx, args...)
	if output != "" {
		s.Quote(output)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(shown(args), " "), err)
	}
	return output, nil
}

// rejected shows a command that is to fail, and its words, which are to be among them.
func (s *story) rejected(ctx context.Context, words string, args ...string) error {
	s.Command(shown(args))
	output, err := s.output(ctx, args...)
	if err == nil || !strings.Contains(output, words) {
		return fmt.Errorf("%s: want an error that says %q, and it is %w with: %s", strings.Join(shown(args), " "),
			words, err, output)
	}
	s.Problem(output)
	return nil
}

// expect shows a command that is to print certain words, and nothing else.
func (s *story) expect(ctx context.Context, want string, args ...string) error {
	output, err := s.run(ctx, args...)
	if err != nil {
		return err
	}
	if found := strings.Join(strings.Fields(output), " "); found != want {
		return fmt.Errorf("%s: it prints %q, want %q", strings.Join(shown(args), " "), found, want)
	}
	return nil
}

func (s *story) output(ctx context.Context, args ...string) (string, error) {
	output, err := s.cluster.Command(ctx, s.program(args[0]), args[1:]...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// program returns the path of a program that a person has in the PATH.
func (s *story) program(name string) string {
	if name == "sysctl-injector" {
		return s.installed.Program
	}
	return name
}

// shown are a command's words as a person types them.
func shown(args []string) []string {
	typed := make([]string, len(args))
	for i, arg := range args {
		if strings.ContainsAny(arg, " |()'{}") {
			arg = "'" + arg + "'"
		}
		typed[i] = arg
	}
	return typed
}

// hostValue returns a sysctl of this machine. The node has the same kernel.
func hostValue(name string) (string, error) {
	content, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	return strings.Join(strings.Fields(string(content)), " "), err
}
