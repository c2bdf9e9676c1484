// Command demo shows what sysctl-injector does, with the real binary on loopback: one pod goes through the webhook,
// another is rejected, and the grants are printed. It is a check too: anything that is not as expected ends it with
// exit code 1.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/demo/narrator"
)

const (
	binary   = "bin/sysctl-injector"
	sample   = "deploy/samples/ingress-nginx-daemonset.yaml"
	guest    = "deploy/samples/kata-pod.yaml"
	requests = 200

	webhookName = "pods.sysctl-injector.dev" // which the API server prints in rejections
)

// asked is what the sample's annotation asks for, as arguments of sysctl -w.
var asked = []string{"net.core.somaxconn=32768", "net.ipv4.ip_local_port_range=32768 65535"}

func main() { narrator.Main(run) }

func run(ctx context.Context, out io.Writer) (err error) {
	started := time.Now()
	n := narrator.New(out)

	n.Step("The server starts, without a cluster, with a certificate made just now")
	s, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, s.kill())
		}
	}()
	n.Command(append(s.command.Args[:3:3], "--tls-cert-file=…"))
	n.Say("It is ready at %s after %d ms.", s.url, time.Since(started).Milliseconds())

	n.Step("A pod of %s is created", sample)
	review, err := admit(ctx, n, s)
	if err != nil {
		return err
	}

	n.Step("A pod that would change its node is rejected")
	if err := reject(ctx, n, s); err != nil {
		return err
	}

	n.Step("The companion: the grants that go with the pod, and nothing beyond them")
	if err := companion(ctx, n); err != nil {
		return err
	}

	n.Step("%d more requests, one after the other", requests)
	if err := measure(ctx, n, s, review); err != nil {
		return err
	}

	n.Step("The server gets a signal to stop")
	if err := s.stop(); err != nil {
		return err
	}
	n.Say("It has, with exit code 0. Everything was as expected.")
	return nil
}

// admit sends the sample's pod through the webhook and shows it before and after. It returns the review that it sent.
func admit(ctx context.Context, n *narrator.Narrator, s *server) ([]byte, error) {
	daemonSet, err := readObject(sample, "DaemonSet")
	if err != nil {
		return nil, err
	}
	before := daemonSet.pod()
	review, err := newReview(before)
	if err != nil {
		return nil, err
	}
	response, err := s.post(ctx, review)
	if err != nil {
		return nil, err
	}
	if !response.Allowed {
		return nil, fmt.Errorf("the pod is rejected: %s", response.Result.Message)
	}
	after, err := before.patched(response.Patch)
	if err != nil {
		return nil, err
	}
	if err := after.expectInjected(before); err != nil {
		return nil, err
	}
	n.Say("The API server asks the webhook about it, and applies the JSON Patch that it gets for an answer:\n")
	n.Diff(before.yaml(), after.yaml())
	return review, nil
}

// reject asks for the sample of a pod with a kernel of its own, but on the kernel of the node.
func reject(ctx context.Context, n *narrator.Narrator, s *server) error {
	pod, err := readObject(guest, "Pod")
	if err != nil {
		return err
	}
	delete(pod.field("spec"), "runtimeClassName")
	review, err := newReview(pod)
	if err != nil {
		return err
	}
	response, err := s.post(ctx, review)
	if err != nil {
		return err
	}
	if response.Allowed || !strings.Contains(response.Result.Message, "NodeLevel") {
		return fmt.Errorf("a pod that sets vm.max_map_count on a shared kernel is not rejected for that: %+v", response)
	}
	n.Say("It is that of %s without its RuntimeClass, so it shares the node's kernel:\n", guest)
	n.Problem(fmt.Sprintf("Error from server (%s): admission webhook %q denied the request: %s",
		response.Result.Reason, webhookName, response.Result.Message))
	return nil
}

func companion(ctx context.Context, n *narrator.Narrator) error {
	command := exec.CommandContext(ctx, binary, "companion", "-f", sample)
	command.Stderr = os.Stderr
	grants, err := command.Output()
	if err != nil {
		return fmt.Errorf("%s companion: %w", binary, err)
	}
	for _, sysctl := range asked {
		name, _, _ := strings.Cut(sysctl, "=")
		if !strings.Contains(string(grants), "- "+name+"\n") {
			return fmt.Errorf("the companion does not grant %s:\n%s", name, grants)
		}
	}
	n.Command(command.Args)
	n.Quote(string(grants))
	return nil
}

// measure measures a request from end to end, on a connection that is kept open as the API server does.
func measure(ctx context.Context, n *narrator.Narrator, s *server, review []byte) error {
	took := make([]time.Duration, requests)
	for i := range took {
		begin := time.Now()
		response, err := s.post(ctx, review)
		if err != nil {
			return err
		}
		took[i] = time.Since(begin)
		if !response.Allowed {
			return fmt.Errorf("request %d is rejected: %s", i+1, response.Result.Message)
		}
	}
	slices.Sort(took)
	n.Say("From sending to having read the answer: median %d µs, the slowest %d µs.",
		took[requests/2].Microseconds(), took[requests-1].Microseconds())
	return nil
}
