// Package tools builds the programs that the suites run and that are not part of the project: Kubernetes, containerd,
// helm. Each is a nested module e2e/NAME or, for a version of Kubernetes, e2e/kubernetes/MINOR. Its go.mod is the one
// place that states versions, and its `tool` lines list what to build. The programs are kept in the user's cache
// directory, so that all checkouts share them.
package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tools are the programs of one module.
type Tools struct {
	Version string // of what is built: "v1.37.2"
	Dir     string // holds the programs, named as the last part of their packages' paths
	Module  string // directory of the nested module
}

// Path is where a program lies.
func (t Tools) Path(program string) string { return filepath.Join(t.Dir, program) }

// Names are the names of the modules, but for those of Kubernetes.
func Names() ([]string, error) { return names("*") }

// KubernetesVersions are the minor versions of Kubernetes that have a module, oldest first: "1.31".
func KubernetesVersions() ([]string, error) {
	found, err := names(Kubernetes + "/*")
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	return found, err
}

// LastWithPodSecurityPolicy is the version that e2e/suites/psp runs on. It is older than those that the other suites
// are for.
const LastWithPodSecurityPolicy = "1.24"

// names are the last parts of the folders that hold modules.
func names(pattern string) ([]string, error) {
	found, err := modules(pattern)
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found, err
}

// ErrNotBuilt says that a module's programs are not in the cache directory yet.
var ErrNotBuilt = errors.New("not built yet")

// Find looks for the programs of module e2e/NAME and builds nothing. It must be called from inside the project's
// checkout.
func Find(name string) (Tools, error) {
	b, err := plan(name)
	if err != nil {
		return Tools{}, err
	}
	return b.find()
}

// Ensure finds the programs of module e2e/NAME or builds them, once: processes that ask at the same time build once
// between them. Progress goes to the writer given.
func Ensure(ctx context.Context, name string, progress io.Writer) (Tools, error) {
	b, err := plan(name)
	if err != nil {
		return Tools{}, err
	}
	found, err := b.find()
	if !errors.Is(err, ErrNotBuilt) {
		return found, err
	}
	if err := os.MkdirAll(filepath.Dir(b.dir), 0o755); err != nil {
		return Tools{}, err
	}
	p := newProgress(progress, name+" "+b.version)
	p.set("waiting for another process that builds it")
	unlock, err := lockFile(ctx, b.dir+".lock", p.tick)
	if err != nil {
		return Tools{}, fmt.Errorf("lock %s.lock: %w", b.dir, err)
	}
	defer unlock()
	if found, err := b.find(); err == nil {
		p.say("another process has built it")
		return found, nil
	}
	if err := b.run(ctx, p); err != nil {
		return Tools{}, fmt.Errorf("build %s %s in %s: %w", name, b.version, b.module, err)
	}
	return b.find()
}
