package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// Binaries are the programs of a control plane and a node. The Kubernetes ones come from the nested module e2e/kubernetes.
type Binaries struct {
	Version string // of Kubernetes, as /version reports it
	Dir     string // holds kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kubectl
	Etcd    string
}

// Path is where a Kubernetes binary lies.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

var kubernetesBinaries = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}

// FindBinaries looks for the binaries and builds nothing: tools.ErrNotBuilt says that there is something to build. It must be
// called from inside the project's checkout.
func FindBinaries() (Binaries, error) {
	return withEtcd(tools.Find(tools.Kubernetes))
}

// EnsureBinaries finds the binaries or builds them, which takes about ten minutes on two cores, once. Progress goes to the
// writer given.
func EnsureBinaries(ctx context.Context, progress io.Writer) (Binaries, error) {
	if _, err := findEtcd(); err != nil {
		return Binaries{}, err // before the long build
	}
	return withEtcd(tools.Ensure(ctx, tools.Kubernetes, progress))
}

func withEtcd(kubernetes tools.Tools, err error) (Binaries, error) {
	if err != nil {
		return Binaries{}, err
	}
	etcd, err := findEtcd()
	return Binaries{Version: kubernetes.Version, Dir: kubernetes.Dir, Etcd: etcd}, err
}

func findEtcd() (string, error) {
	if path, err := exec.LookPath("etcd"); err == nil {
		return filepath.Abs(path)
	}
	if _, err := os.Stat("/usr/bin/etcd"); err == nil {
		return "/usr/bin/etcd", nil
	}
	return "", errors.New("etcd is not installed: `apt-get install etcd-server` on Debian and Ubuntu, or put an etcd ≥ 3.4 in PATH")
}
