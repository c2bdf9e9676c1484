// Package cluster starts a real Kubernetes control plane on this machine for tests and for people: etcd, API server,
// controller-manager and scheduler, in a network namespace of their own where that is allowed; and where asked for a
// node, with a kubelet and containerd. It runs programs and depends on nothing of Kubernetes but its client.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// VersionVariable is the environment variable that chooses the Kubernetes version of every Config that has none.
const VersionVariable = "SYSCTL_INJECTOR_KUBERNETES"

// Config says how a cluster is started. The zero value is a good one.
type Config struct {
	// Kubernetes is a minor version that e2e/kubernetes has a module for: "1.31". Empty means the one that
	// VersionVariable names, or the newest.
	Kubernetes string
	// Dir receives the kubeconfig, keys and logs, and keeps the logs after Stop. No other running cluster may use it.
	// Empty means a temporary directory, which Stop removes.
	Dir string
	// LogDir receives the logs, and keeps them after Stop. Empty means Dir/logs.
	LogDir string
	// Further flags, which win over the package's own: "--feature-gates=Some=true".
	APIServerArgs         []string
	ControllerManagerArgs []string
	SchedulerArgs         []string
	KubeletArgs           []string
	// Node adds a node for pods to run on: a kubelet and containerd. NodeSupported says what it needs of the machine.
	Node bool
	// Runtimes are further OCI runtimes for the node's pods: programs with runc's command line, by the handler that a
	// RuntimeClass names.
	Runtimes map[string]string
	// Loopback asks for ports on 127.0.0.1 even where a network namespace could be made.
	Loopback bool
	// StartTimeout bounds the wait for readiness once the binaries exist. 0 means a minute and a half.
	StartTimeout time.Duration
	// Progress receives what a person may want to know while waiting. Nil means standard error.
	Progress io.Writer
}

func (c Config) complete() (Config, error) {
	for _, field := range []struct {
		name string
		args []string
	}{
		{"APIServerArgs", c.APIServerArgs},
		{"ControllerManagerArgs", c.ControllerManagerArgs},
		{"SchedulerArgs", c.SchedulerArgs},
		{"KubeletArgs", c.KubeletArgs},
	} {
		for i, arg := range field.args {
			if !strings.HasPrefix(arg, "--") {
				return c, fmt.Errorf("%s[%d]: %q is not of the form --flag or --flag=value", field.name, i, arg)
			}
		}
	}
	if c.Node && c.Loopback {
		return c, errors.New("field Node: a node needs a network namespace of its own, and Loopback asks for none")
	}
	if err := validateRuntimes(c); err != nil {
		return c, err
	}
	if c.StartTimeout < 0 {
		return c, fmt.Errorf("StartTimeout: %s is negative", c.StartTimeout)
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = 90 * time.Second
	}
	c.Progress = c.progress()
	for _, dir := range []struct {
		field string
		path  *string
	}{{"Dir", &c.Dir}, {"LogDir", &c.LogDir}} {
		if *dir.path == "" {
			continue
		}
		absolute, err := filepath.Abs(*dir.path)
		if err != nil {
			return c, fmt.Errorf("%s: %w", dir.field, err)
		}
		*dir.path = absolute
	}
	return c, nil
}

func (c Config) progress() io.Writer {
	if c.Progress == nil {
		return os.Stderr
	}
	return c.Progress
}

// Cluster is a running control plane. Its processes die with the process that started it.
type Cluster struct {
	binaries  Binaries
	dir       string
	logs      string   // a directory
	temporary []string // removed by Stop
	ports     ports
	network   network
	files     files
	settings  Config
	nodes     []*Node
	authority *authority
	processes []*process
	config    *rest.Config // the administrator's
	admin     *http.Client
	stopping  sync.Once

	// Of a cluster that Connect found.
	kubeconfig string
	before     map[inventoryKey]bool // its objects, before the suite
}

// Start builds what is missing, starts the control plane and returns when it is ready. ctx bounds the start alone:
// the cluster runs until Stop.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	if err := supported(); err != nil {
		return nil, err
	}
	if config.Node {
		if err := NodeSupported(); err != nil {
			return nil, err
		}
	}
	binaries, err := EnsureBinaries(ctx, config)
	if err != nil {
		return nil, err
	}
	RemoveStale()
	c := &Cluster{binaries: binaries}
	if err := c.start(ctx, config); err != nil {
		if stopErr := c.Stop(); stopErr != nil {
			return nil, fmt.Errorf("%w\nand then, cleaning up: %w", err, stopErr)
		}
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, config Config) error {
	ctx, cancel := context.WithTimeout(ctx, config.StartTimeout)
	defer cancel()
	c.settings = config
	var err error
	if c.files, err = c.makeDirectories(config); err != nil {
		return err
	}
	files := c.files
	if c.network, err = newNetwork(filepath.Base(files.scratch), config); err != nil {
		return err
	}
	if c.ports, err = choosePorts(c.network); err != nil {
		return err
	}
	if err := c.writeCredentials(files); err != nil {
		return err
	}
	if config.Node {
		if err := c.prepareNode(); err != nil {
			return fmt.Errorf("prepare the node: %w", err)
		}
	}
	for _, stage := range c.stages(files, config) {
		if err := c.run(ctx, stage); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends every process of the cluster and removes what Start made, but for the logs in a Config.Dir or
// Config.LogDir. A second call does nothing.
func (c *Cluster) Stop() error {
	var err error
	c.stopping.Do(func() { err = c.stop() })
	return err
}

func (c *Cluster) stop() error {
	if c.kubeconfig != "" {
		return errors.Join(c.restore(context.Background()), c.removeTemporary())
	}
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].kill()
	}
	for _, process := range c.processes {
		<-process.exited
	}
	if c.admin != nil {
		c.admin.CloseIdleConnections()
	}
	first := c.stopNodes()
	if c.network != nil {
		if err := c.network.close(); err != nil && first == nil {
			first = err
		}
	}
	return errors.Join(first, c.removeTemporary())
}

func (c *Cluster) removeTemporary() error {
	var errs []error
	for _, path := range c.temporary {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// Version is the Kubernetes version that runs.
func (c *Cluster) Version() string { return c.binaries.Version }

// Binaries are the programs the cluster was started from; kubectl is among them.
func (c *Cluster) Binaries() Binaries { return c.binaries }

// Dir holds the kubeconfig, the keys and, without a Config.LogDir, the logs.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig is the path of an administrator's kubeconfig. Only processes inside the cluster's network can use it:
// those that Command makes.
func (c *Cluster) Kubeconfig() string {
	if c.kubeconfig != "" {
		return c.kubeconfig
	}
	return filepath.Join(c.dir, kubeconfigFile)
}

// LogPath is the log of one part: "etcd", "kube-apiserver", "kube-controller-manager" or "kube-scheduler", and with a
// node "node", "containerd" or "kubelet".
func (c *Cluster) LogPath(part string) string { return filepath.Join(c.logs, part+".log") }

// CreateLog creates one more log for a program that runs beside the cluster's own: NAME-1.log, NAME-2.log and so on.
func (c *Cluster) CreateLog(name string) (*os.File, error) {
	for n := 1; ; n++ {
		file, err := os.OpenFile(c.LogPath(fmt.Sprintf("%s-%d", name, n)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}

// AuditLogPath is where the API server writes a JSON line for each call: all writes, and reads by anyone but the
// control plane itself.
func (c *Cluster) AuditLogPath() string { return c.LogPath("audit") }

// Namespace names the network namespace (/run/netns/NAME), or is empty when the cluster uses the host's loopback.
func (c *Cluster) Namespace() string { return c.network.namespace() }

// Address is the IP address on which the cluster's processes reach each other, and on which a webhook should listen.
func (c *Cluster) Address() net.IP { return c.network.address() }

// RESTConfig is an administrator's configuration for client-go, whose connections are made inside the cluster's
// network.
func (c *Cluster) RESTConfig() *rest.Config { return rest.CopyConfig(c.config) }

// Dial connects from inside the cluster's network. The host must be an IP address.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.network.dial(ctx, network, address)
}

// Listen opens a listener inside the cluster's network, for a server that runs in this very process.
// net.JoinHostPort(c.Address().String(), "0") is an address the API server can call.
func (c *Cluster) Listen(network, address string) (net.Listener, error) {
	return c.network.listen(network, address)
}
