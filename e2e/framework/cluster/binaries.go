package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// Binaries are the programs of a control plane and a node, which e2e/tools builds.
type Binaries struct {
	Version string // of Kubernetes, as /version reports it
	Dir     string // holds kube-apiserver, kube-controller-manager, kube-scheduler and kubectl, and for a node kubelet
	Etcd    string
	// Directories of a node's programs. They are empty without a node.
	Containerd string // holds containerd, containerd-shim-runc-v2 and ctr
	Runc       string // holds runc
}

// Path is where a Kubernetes binary lies.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

var kubernetesBinaries = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}

// NodeTools are the modules below e2e/ that only a node needs.
var NodeTools = []string{"containerd", "runc"}

// FindBinaries looks for what a cluster needs and builds nothing. It returns tools.ErrNotBuilt if there is something
// to build. It must be called from inside the project's checkout.
func FindBinaries(config Config) (Binaries, error) {
	return binaries(config, tools.Find)
}

// EnsureBinaries finds what a cluster needs or builds it, which takes about ten minutes on two cores, once.
func EnsureBinaries(ctx context.Context, config Config) (Binaries, error) {
	if _, err := findEtcd(); err != nil {
		return Binaries{}, err // before the long build
	}
	return binaries(config,
		func(name string) (tools.Tools, error) { return tools.Ensure(ctx, name, config.progress()) })
}

func binaries(config Config, get func(name string) (tools.Tools, error)) (Binaries, error) {
	version, err := config.kubernetes()
	if err != nil {
		return Binaries{}, err
	}
	kubernetes, err := get(tools.Kubernetes + "/" + version)
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{Version: kubernetes.Version, Dir: kubernetes.Dir}
	if b.Etcd, err = findEtcd(); err != nil || !config.Node {
		return b, err
	}
	if _, err := os.Stat(b.Path("kubelet")); err != nil {
		return b, fmt.Errorf("field Node: no kubelet of Kubernetes %s is built, only the newest version's", version)
	}
	for i, dir := range []*string{&b.Containerd, &b.Runc} {
		built, err := get(NodeTools[i])
		if err != nil {
			return b, err
		}
		*dir = built.Dir
	}
	return b, nil
}

// kubernetes is the minor version of the cluster: the configuration's, the environment's or the newest.
func (c Config) kubernetes() (string, error) {
	versions, err := tools.KubernetesVersions()
	if err != nil {
		return "", err
	}
	wanted, source := c.Kubernetes, "field Kubernetes"
	if wanted == "" {
		wanted, source = os.Getenv(VersionVariable), VersionVariable
	}
	if wanted == "" {
		return versions[len(versions)-1], nil
	}
	if !slices.Contains(versions, wanted) {
		known := strings.Join(versions, ", ")
		return "", fmt.Errorf("%s: %q is not one of the versions in e2e/kubernetes: %s", source, wanted, known)
	}
	return wanted, nil
}

func findEtcd() (string, error) {
	if path, err := exec.LookPath("etcd"); err == nil {
		return filepath.Abs(path)
	}
	if _, err := os.Stat("/usr/bin/etcd"); err == nil {
		return "/usr/bin/etcd", nil
	}
	return "", errors.New("etcd is not installed: `apt-get install etcd-server` on Debian and Ubuntu, or put an etcd " +
		"≥ 3.4 in PATH")
}
