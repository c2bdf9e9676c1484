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
	"slices"
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

// Start starts one more server, with further flags, and returns when it is ready. The API server calls it once Route
// says so.
func (i *Installation) Start(ctx context.Context, args ...string) (*Server, error) {
	return i.start(ctx, "0", "0", args...)
}

// Restart starts a server at the address of the server that the API server calls.
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
	args := slices.Concat(i.args, []string{
		"--bind-address=" + net.JoinHostPort(address, webhookPort), "--observe-bind-address=" +
			net.JoinHostPort(address, observePort),
	}, further)
	s, err := Launch(ctx, ServerConfig{Cluster: i.cluster, Program: i.Program, Args: args})
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	i.servers = append(i.servers, s)
	i.mu.Unlock()
	return s, s.UntilReady(ctx)
}

// ServerConfig says how a server is started.
type ServerConfig struct {
	Cluster *cluster.Cluster
	Program string   // its path
	Args    []string // the subcommand and its flags
	Env     []string // besides that of this process
}

// Launch starts a server, and returns when it listens. The caller ends it by Kill.
func Launch(ctx context.Context, config ServerConfig) (*Server, error) {
	// Not the caller's context: the server outlives the test that starts it.
	command := config.Cluster.Command(context.WithoutCancel(ctx), config.Program, config.Args...)
	s := &Server{cluster: config.Cluster, command: command, exited: make(chan struct{})}
	file, err := config.Cluster.CreateLog(Name)
	if err != nil {
		return nil, err
	}
	command.Stderr = io.MultiWriter(&s.log, file)
	command.Env = append(command.Environ(), config.Env...)
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), file.Close())
	}
	go func() {
		s.err = command.Wait()
		_ = file.Close()
		close(s.exited)
	}()
	return s, s.until(ctx, func(context.Context) error {
		if s.Webhook, s.Observe = s.log.Addresses(); s.Webhook == "" {
			return errors.New("it does not listen")
		}
		return nil
	})
}

// UntilReady returns when the server is ready. A server that is not ready in time is killed.
func (s *Server) UntilReady(ctx context.Context) error { return s.until(ctx, s.Ready) }

// until returns when problem returns nil. Otherwise it kills the server.
func (s *Server) until(ctx context.Context, problem func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		last := problem(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended: %w; its log:\n%s", s.err, s.log.String())
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("the server is not ready after %s: %w; its log:\n%s", startTimeout, last, s.log.String())
		case <-time.After(pace):
		}
	}
}

// Ready returns why the server is not ready; nil if it is.
func (s *Server) Ready(ctx context.Context) error { return Ready(ctx, s.cluster, s.Observe) }

// Get returns what the server answers at a path beside the webhook, such as /metrics; also an error if its status is
// not 200.
func (s *Server) Get(ctx context.Context, path string) (string, error) {
	return get(ctx, s.cluster, "http://"+s.Observe+path)
}

// Ready returns why a server that answers at the address observe is not ready; nil if it is.
func Ready(ctx context.Context, c *cluster.Cluster, observe string) error {
	_, err := get(ctx, c, "http://"+observe+"/readyz")
	return err
}

// get returns the body of an answer; an error with the body if its status is not 200.
func get(ctx context.Context, c *cluster.Cluster, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true},
		Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return string(answer), err
}

// Terminate asks the server to stop, as a kubelet does.
func (s *Server) Terminate() error { return s.command.Process.Signal(syscall.SIGTERM) }

// Pause suspends the process until resume is called, so that requests reach it together with the events of its
// watches.
func (s *Server) Pause() (resume func(), err error) {
	if err := s.command.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	return func() { _ = s.command.Process.Signal(syscall.SIGCONT) }, nil
}

// PID is the id of the server's process.
func (s *Server) PID() int { return s.command.Process.Pid }

// Ended is closed when the server has ended.
func (s *Server) Ended() <-chan struct{} { return s.exited }

// Wait waits until the server has ended. It returns nil if the exit status is 0.
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

// Log returns what the server has logged so far.
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
	return binary.Config{Version: Version,
		Platform: v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}}.Build(ctx, path)
}
