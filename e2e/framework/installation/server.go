package installation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/binary"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

const (
	startTimeout = 30 * time.Second
	pace         = 20 * time.Millisecond
)

// Server is a running `sysctl-injector serve`.
type Server struct {
	// Webhook and Observe are the addresses it listens on.
	Webhook, Observe string

	cluster *cluster.Cluster
	command *exec.Cmd
	log     Log
	exited  chan struct{} // closed once err is set
	err     error
}

// Start starts one more server, with further flags, and returns when it is ready. The API server calls it once Route says so.
func (i *Installation) Start(ctx context.Context, args ...string) (*Server, error) {
	return i.start(ctx, "0", "0", args...)
}

// Restart starts a server where the one that the API server calls was.
func (i *Installation) Restart(ctx context.Context) error {
	stopped := i.Server()
	stopped.Kill()
	_, webhook, err := net.SplitHostPort(stopped.Webhook)
	if err != nil {
		return err
	}
	_, observe, err := net.SplitHostPort(stopped.Observe)
	if err != nil {
		return err
	}
	server, err := i.start(ctx, webhook, observe)
	if err != nil {
		return err
	}
	i.call(server)
	return nil
}

func (i *Installation) start(ctx context.Context, webhookPort, observePort string, further ...string) (*Server, error) {
	address := i.cluster.Address().String()
	args := append([]string{}, i.args...)
	args = append(args, "--bind-address="+net.JoinHostPort(address, webhookPort), "--observe-bind-address="+net.JoinHostPort(address, observePort))
	args = append(args, further...)
	// Not the caller's context: the server outlives the test that starts it.
	s := &Server{cluster: i.cluster, command: i.cluster.Command(context.WithoutCancel(ctx), i.Program, args...), exited: make(chan struct{})}
	file, err := i.cluster.CreateLog(Name)
	if err != nil {
		return nil, err
	}
	s.command.Stderr = io.MultiWriter(&s.log, file)
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), file.Close())
	}
	go func() {
		s.err = s.command.Wait()
		_ = file.Close()
		close(s.exited)
	}()
	i.mu.Lock()
	i.servers = append(i.servers, s)
	i.mu.Unlock()
	if err := s.untilReady(ctx); err != nil {
		s.Kill()
		return nil, fmt.Errorf("start the server: %w; its log:\n%s", err, s.log.String())
	}
	return s, nil
}

func (s *Server) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var last error
	for {
		if s.Webhook == "" {
			s.Webhook, s.Observe = s.log.Addresses()
		}
		if s.Webhook != "" {
			if last = s.Ready(ctx); last == nil {
				return nil
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended: %w", s.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready after %s: %w", startTimeout, last)
		case <-time.After(pace):
		}
	}
}

// Ready says why the server is not ready; nil when it is.
func (s *Server) Ready(ctx context.Context) error { return Ready(ctx, s.cluster, s.Observe) }

// Ready says why a server that answers at the address observe is not ready; nil when it is.
func Ready(ctx context.Context, c *cluster.Cluster, observe string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+observe+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return nil
}

// Terminate asks the server to end, as a kubelet does.
func (s *Server) Terminate() error { return s.command.Process.Signal(syscall.SIGTERM) }

// Pause stops the server as it stands until resume is called, so that requests reach it together with what it watches.
func (s *Server) Pause() (resume func(), err error) {
	if err := s.command.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	return func() { _ = s.command.Process.Signal(syscall.SIGCONT) }, nil
}

// Wait waits until the server has ended, and says how: nil is exit status 0.
func (s *Server) Wait(timeout time.Duration) error {
	select {
	case <-s.exited:
		return s.err
	case <-time.After(timeout):
		return fmt.Errorf("it still runs after %s", timeout)
	}
}

// Kill ends the server at once, if it runs.
func (s *Server) Kill() {
	_ = s.command.Process.Kill()
	<-s.exited
}

// Log is what the server has logged so far.
func (s *Server) Log() string { return s.log.String() }

func (s *Server) port() int32 {
	_, port, err := net.SplitHostPort(s.Webhook)
	if err != nil {
		panic(err) // the server's own listener wrote it
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		panic(err)
	}
	return int32(number)
}

// Build builds the program as a release has it.
func Build(ctx context.Context, path string) error {
	return binary.Config{Version: Version, Platform: v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}}.Build(ctx, path)
}
