package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// Environment variables by which the suites use a cluster that exists already.
const (
	// KubeconfigVariable names an administrator's kubeconfig. The suites install sysctl-injector there and remove
	// everything again that is created meanwhile, also by others. Nobody else should use the cluster.
	KubeconfigVariable = "SYSCTL_INJECTOR_KUBECONFIG"
	// WebhookAddressVariable is an IP address of this machine at which the API server can call a webhook. Without it,
	// it is 127.0.0.1.
	WebhookAddressVariable = "SYSCTL_INJECTOR_WEBHOOK_ADDRESS"
)

// External reports whether the environment names an existing cluster.
func External() bool { return os.Getenv(KubeconfigVariable) != "" }

// Connect connects to the cluster that the environment names. Its control plane is not ours: it has no logs here, and
// no parts to restart. Stop removes the objects that were not there before. LogDir is for the logs of programs beside
// it.
func Connect(ctx context.Context, config Config) (*Cluster, error) {
	c := &Cluster{kubeconfig: os.Getenv(KubeconfigVariable), logs: config.LogDir}
	if err := c.connect(ctx); err != nil {
		return nil,
			fmt.Errorf("connect to the cluster of %s: %w", KubeconfigVariable, errors.Join(err, c.removeTemporary()))
	}
	return c, nil
}

func (c *Cluster) connect(ctx context.Context) (err error) {
	address := net.ParseIP(cmp.Or(os.Getenv(WebhookAddressVariable), "127.0.0.1"))
	if address == nil {
		return fmt.Errorf("%s: %q is not an IP address", WebhookAddressVariable, os.Getenv(WebhookAddressVariable))
	}
	c.network = reachable{ip: address}
	if c.kubeconfig, err = filepath.Abs(c.kubeconfig); err != nil {
		return err
	}
	if c.config, err = clientcmd.BuildConfigFromFlags("", c.kubeconfig); err != nil {
		return err
	}
	if err := rest.LoadTLSFiles(c.config); err != nil { // the tests pass the CA on
		return err
	}
	c.config.QPS = -1
	if c.admin, err = rest.HTTPClientFor(c.config); err != nil {
		return err
	}
	client, err := discovery.NewDiscoveryClientForConfigAndClient(c.config, c.admin)
	if err != nil {
		return err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return err
	}
	kubectl, err := findKubectl()
	if err != nil {
		return err
	}
	c.binaries = Binaries{Version: version.GitVersion, Dir: filepath.Dir(kubectl)}
	if c.authority, err = newAuthority(); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp("", "external-*"); err != nil {
		return err
	}
	c.files.scratch, c.temporary = c.dir, []string{c.dir}
	c.logs = cmp.Or(c.logs, c.dir)
	c.before, err = c.inventory(ctx)
	if err == nil && c.before[inventoryKey{"namespaces", systemNamespace}] {
		err = fmt.Errorf("namespace %s exists: the suites do not touch an installation", systemNamespace)
	}
	return err
}

// systemNamespace is where sysctl-injector is installed.
const systemNamespace = "sysctl-injector-system"

// findKubectl prefers the kubectl that the suites build, since tests expect its messages.
func findKubectl() (string, error) {
	version, err := Config{}.kubernetes()
	if err != nil {
		return "", err
	}
	built, err := tools.Find(tools.Kubernetes + "/" + version)
	if err == nil {
		return built.Path("kubectl"), nil
	}
	path, lookErr := exec.LookPath("kubectl")
	if lookErr != nil {
		return "", fmt.Errorf("find kubectl: %w, and %w", err, lookErr)
	}
	return filepath.Abs(path)
}

// reachable is the machine's own network, with an address that an API server elsewhere can call.
type reachable struct {
	loopback
	ip net.IP
}

func (r reachable) address() net.IP { return r.ip }
