package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Binaries are the programs of a control plane and a node. The Kubernetes ones come from the nested module
// e2e/kubernetes and are kept in the user's cache directory, so that every checkout shares them.
type Binaries struct {
	Version string // of Kubernetes, as /version reports it
	Dir     string // holds kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kubectl
	Etcd    string
}

// Path is where a Kubernetes binary lies.
func (b Binaries) Path(name string) string { return filepath.Join(b.Dir, name) }

// ErrNotBuilt says that the Kubernetes binaries are not in the cache directory yet.
var ErrNotBuilt = errors.New("the Kubernetes binaries are not built yet")

var kubernetesBinaries = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"}

// FindBinaries looks for the binaries and builds nothing. It must be called from inside the project's checkout.
func FindBinaries() (Binaries, error) {
	b, err := planBuild()
	if err != nil {
		return Binaries{}, err
	}
	return b.find()
}

// EnsureBinaries finds the binaries or builds them, which takes about ten minutes on two cores, once. Processes that
// ask at the same time build once between them. Progress goes to the writer given.
func EnsureBinaries(ctx context.Context, progress io.Writer) (Binaries, error) {
	b, err := planBuild()
	if err != nil {
		return Binaries{}, err
	}
	found, err := b.find()
	if !errors.Is(err, ErrNotBuilt) {
		return found, err
	}
	if err := os.MkdirAll(filepath.Dir(b.dir), 0o755); err != nil {
		return Binaries{}, err
	}
	p := newProgress(progress, "kubernetes "+b.version)
	p.set("waiting for another process that builds it")
	unlock, err := lockFile(ctx, b.dir+".lock", p.tick)
	if err != nil {
		return Binaries{}, fmt.Errorf("lock %s.lock: %w", b.dir, err)
	}
	defer unlock()
	if found, err := b.find(); err == nil {
		p.say("another process has built it")
		return found, nil
	}
	if err := b.run(ctx, p); err != nil {
		return Binaries{}, fmt.Errorf("build Kubernetes %s in %s: %w", b.version, b.module, err)
	}
	return b.find()
}

// build is one way to build Kubernetes; dir carries a hash of everything that decides the result.
type build struct {
	version string
	module  string
	flags   []string
	etcd    string
	dir     string
}

// planBuild reads the version from the nested module, whose go.mod is the one place that states it.
func planBuild() (build, error) {
	module, err := findModule()
	if err != nil {
		return build{}, err
	}
	gomod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return build{}, err
	}
	match := kubernetesVersion.FindSubmatch(gomod)
	if match == nil {
		return build{}, fmt.Errorf("%s/go.mod requires no version of k8s.io/kubernetes", module)
	}
	etcd, err := findEtcd()
	if err != nil {
		return build{}, err
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		return build{}, fmt.Errorf("find the user's cache directory: %w", err)
	}
	b := build{version: string(match[1]), module: module, etcd: etcd}
	b.flags = []string{"-trimpath", "-ldflags=" + versionFlags(b.version)}
	sum := sha256.New()
	fmt.Fprintln(sum, b.flags, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	sum.Write(gomod)
	key := b.version + "-" + hex.EncodeToString(sum.Sum(nil))[:12]
	b.dir = filepath.Join(caches, "sysctl-injector", "kubernetes", key)
	return b, nil
}

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*(?:require )?k8s\.io/kubernetes (v1\.\S+)`)

// versionFlags stamps the version that a release build carries. Without it the API server reports v0.0.0 and turns
// features off.
func versionFlags(version string) string {
	const prefix = "-X k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join([]string{
		"-s -w",
		prefix + "gitVersion=" + version,
		prefix + "gitMajor=" + parts[0],
		prefix + "gitMinor=" + parts[1],
	}, " ")
}

// findModule walks up from the working directory, which for a test is its package's folder.
func findModule() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		module := filepath.Join(d, "e2e", "kubernetes")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no e2e/kubernetes/go.mod in %s or above it: run inside the project's checkout", dir)
		}
	}
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

func (b build) find() (Binaries, error) {
	for _, name := range kubernetesBinaries {
		if _, err := os.Stat(filepath.Join(b.dir, name)); err != nil {
			return Binaries{}, fmt.Errorf("%w: %w", ErrNotBuilt, err)
		}
	}
	return Binaries{Version: b.version, Dir: b.dir, Etcd: b.etcd}, nil
}

// run builds beside the final directory and renames, so that a build that is killed leaves nothing half-made. The
// caller holds the lock.
func (b build) run(ctx context.Context, p *progress) error {
	partial := b.dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	args := append([]string{"build", "-v", "-o", partial + string(filepath.Separator)}, b.flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "tool")...)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	dieWithParent(cmd)
	if err := p.watchBuild(cmd); err != nil {
		return err
	}
	return os.Rename(partial, b.dir)
}
