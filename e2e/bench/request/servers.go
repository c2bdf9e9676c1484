package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/request/load"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// server is one of those that are compared.
type server struct {
	name             string
	path             string // of its URL
	process          process.Process
	address, observe string
	log              string         // a file
	memory           process.Memory // at the end
}

// The processors: one is the server's that has its turn, the other takes everything else.
const loadProcessor, serverProcessor = 0, 1

// own is the namespace of the captured pods.
const own = "bench"

type bench struct {
	options
	cluster   *cluster.Cluster
	installed *installation.Installation
	dir       string
	servers   []*server
	cases     []benchCase
	turns     []turn
	binary    int64 // size of the program

	load    *json.Encoder
	results *json.Decoder
	ended   []func() error
}

// start starts everything, and makes sure that what is compared does the same.
func start(ctx context.Context, o options, progress io.Writer) (b *bench, err error) {
	b = &bench{options: o}
	if b.dir, err = os.MkdirTemp("", "bench-*"); err != nil {
		return b, err
	}
	if b.cluster, err = cluster.Start(ctx, cluster.Config{Progress: progress}); err != nil {
		return b, err
	}
	// All servers, the installed one among them, inherit that they have one processor.
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return b, err
	}
	if b.installed, err = installation.Install(ctx, b.cluster, installation.Config{}); err != nil {
		return b, err
	}
	client, err := kubernetes.NewForConfig(b.cluster.RESTConfig())
	if err != nil {
		return b, err
	}
	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: own, Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled},
	}}, metav1.CreateOptions{})
	if err != nil {
		return b, err
	}
	if err := b.startServers(ctx); err != nil {
		return b, err
	}
	if err := b.startLoad(ctx); err != nil {
		return b, err
	}
	if err := b.pin(); err != nil {
		return b, err
	}
	if b.cases, err = readCases(); err != nil {
		return b, err
	}
	return b, b.sameInjection()
}

func (b *bench) startServers(ctx context.Context) error {
	certificate, err := b.cluster.ServingCertificate("bench")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"ca.crt": certificate.CA, "tls.crt": certificate.Cert,
		"tls.key": certificate.Key} {
		if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"floor", "typed"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o",
			filepath.Join(b.dir, name), "./e2e/bench/request/"+name)
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, output)
		}
	}
	info, err := os.Stat(b.installed.Program)
	if err != nil {
		return err
	}
	b.binary = info.Size()
	floor, err := b.startServer(ctx, floorName, filepath.Join(b.dir, "floor"))
	if err != nil {
		return err
	}
	standalone, err := b.startServer(ctx, standaloneName, b.installed.Program, "serve", "--standalone")
	if err != nil {
		return err
	}
	typed, err := b.startServer(ctx, typedName, filepath.Join(b.dir, "typed"), "--version="+installation.Version)
	if err != nil {
		return err
	}
	// In the place of the server that was installed: its log goes to a file, as this process is not to be busy with
	// it.
	if err := b.installed.Server().Terminate(); err != nil {
		return err
	}
	if err := b.installed.Server().Wait(30 * time.Second); err != nil {
		return err
	}
	installed, err := b.startServer(ctx, clusterName, b.installed.Program, b.installed.Args()...)
	if err != nil {
		return err
	}
	b.servers = []*server{floor, standalone, installed, typed}
	if b.program != "" {
		other, err := b.startServer(ctx, "other build, standalone", b.program, "serve", "--standalone")
		if err != nil {
			return err
		}
		b.servers = append(b.servers, other)
	}
	return nil
}

func (b *bench) startServer(ctx context.Context, name, program string, args ...string) (*server, error) {
	bind := b.cluster.Address().String() + ":0"
	args = append(args, "--bind-address="+bind, "--observe-bind-address="+bind,
		"--tls-cert-file="+filepath.Join(b.dir, "tls.crt"), "--tls-private-key-file="+filepath.Join(b.dir, "tls.key"))
	cmd := b.cluster.Command(ctx, program, args...)
	log, err := os.CreateTemp(b.dir, "*.log")
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	b.ended = append(b.ended, func() error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return log.Close()
	})
	s := &server{name: name, path: admission.MutatePath, process: process.Process(cmd.Process.Pid), log: log.Name()}
	var said installation.Log
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) {
			lines, err := os.ReadFile(s.log)
			if err != nil {
				return false, err
			}
			said = installation.Log{}
			_, _ = said.Write(lines)
			s.address, s.observe = said.Addresses()
			return s.address != "" && installation.Ready(ctx, b.cluster, s.observe) == nil, nil
		})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w; it says:\n%s", name, err, &said)
	}
	return s, nil
}

func (b *bench) startLoad(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := b.cluster.Command(ctx, self, "load")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.load, b.results = json.NewEncoder(in), json.NewDecoder(out)
	b.ended = append(b.ended, func() error { return errors.Join(in.Close(), cmd.Wait()) })
	return nil
}

// pin gives the servers their processor, and all other programs of this run the other one.
func (b *bench) pin() error {
	this := process.Process(os.Getpid())
	all, err := this.Descendants()
	if err != nil {
		return err
	}
	for _, p := range append(all, this) {
		if err := p.Pin(loadProcessor); err != nil {
			return err
		}
	}
	for _, s := range b.servers {
		if err := s.process.Pin(serverProcessor); err != nil {
			return err
		}
	}
	return nil
}

// send makes the load generator send requests to a server.
func (b *bench) send(c benchCase, s *server, duration time.Duration) (load.Result, error) {
	url := "https://" + s.address + s.path
	if s.name == floorName {
		url += fmt.Sprintf("?%d", c.answer)
	}
	job := load.Job{URL: url, CA: filepath.Join(b.dir, "ca.crt"), Body: c.path(), Clients: c.clients,
		Duration: duration}
	if err := b.load.Encode(job); err != nil {
		return load.Result{}, err
	}
	var result load.Result
	if err := b.results.Decode(&result); err != nil {
		return load.Result{}, fmt.Errorf("the load generator has ended: %w", err)
	}
	if result.Error != "" {
		return load.Result{}, errors.New(result.Error)
	}
	return result, nil
}

func (b *bench) stop() error {
	var errs []error
	for _, end := range b.ended {
		errs = append(errs, end())
	}
	if b.installed != nil {
		errs = append(errs, b.installed.Remove())
	}
	if b.cluster != nil {
		errs = append(errs, b.cluster.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(strings.TrimSuffix(b.dir, "/")))...)
}
