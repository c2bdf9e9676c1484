package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Kubernetes is the folder that has a module for each version of Kubernetes: kubernetes/1.37.
const Kubernetes = "kubernetes"

// build is a plan to build a module's tools. dir contains a hash of everything that decides the result.
type build struct {
	name    string
	version string
	module  string
	tools   []string // the programs
	flags   []string
	cgo     bool
	dir     string
}

// special lists the modules that need more than the flags that all of them get.
var special = map[string]struct {
	tags string
	cgo  bool
}{
	// Without the tag, promtool contains the service discovery clients of every cloud.
	"prometheus": {tags: "remove_all_sd"},
	// Without libseccomp, every container with a seccomp profile fails.
	"runc": {tags: "seccomp", cgo: true},
}

func plan(name string) (build, error) {
	found, err := modules(name)
	if err != nil {
		return build{}, err
	}
	module := found[0]
	file, err := readModule(module)
	if err != nil {
		return build{}, err
	}
	caches, err := os.UserCacheDir()
	if err != nil {
		return build{}, fmt.Errorf("find the user's cache directory: %w", err)
	}
	b := build{name: name, module: module, version: file.version()}
	if b.version == "" {
		return build{}, fmt.Errorf("%s/go.mod has no tool whose version it requires", module)
	}
	for _, tool := range file.Tool {
		b.tools = append(b.tools, path.Base(tool.Path))
	}
	linker := "-s -w"
	if strings.HasPrefix(name, Kubernetes+"/") {
		linker += versionFlags("k8s.io/component-base/version", b.version)
		if name == Kubernetes+"/"+LastWithPodSecurityPolicy {
			// In this version, /version comes from another package.
			linker += versionFlags("k8s.io/client-go/pkg/version", b.version)
		}
	}
	b.flags = []string{"-trimpath", "-ldflags=" + linker}
	if tags := special[name].tags; tags != "" {
		b.flags = append(b.flags, "-tags="+tags)
	}
	b.cgo = special[name].cgo
	sum := sha256.New()
	fmt.Fprintln(sum, b.flags, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err := addSources(sum, module); err != nil {
		return build{}, err
	}
	b.dir = filepath.Join(caches, "sysctl-injector", name, b.version+"-"+hex.EncodeToString(sum.Sum(nil))[:12])
	return b, nil
}

// modules finds the nested modules whose names match a pattern. It walks up from the working directory, which for a
// test is its package's folder.
func modules(pattern string) ([]string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for d := dir; ; d = filepath.Dir(d) {
		found, err := filepath.Glob(filepath.Join(d, "e2e", pattern, "go.mod"))
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i] = filepath.Dir(found[i])
		}
		if len(found) > 0 {
			return found, nil
		}
		if d == filepath.Dir(d) {
			return nil,
				fmt.Errorf("no e2e/%s/go.mod in %s or above it: run inside the project's checkout", pattern, dir)
		}
	}
}

// moduleFile is the output of `go mod edit -json`.
type moduleFile struct {
	Tool    []struct{ Path string }
	Require []struct {
		Path, Version string
		Indirect      bool
	}
}

func readModule(dir string) (file moduleFile, err error) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return file, fmt.Errorf("read %s/go.mod: %w", dir, err)
	}
	return file, json.Unmarshal(output, &file)
}

// version returns the version of the first tool's module. For a program of the nested module itself, it is the version
// of the first direct requirement.
func (f moduleFile) version() string {
	if len(f.Tool) == 0 {
		return ""
	}
	direct := ""
	for _, required := range f.Require {
		if f.Tool[0].Path == required.Path || strings.HasPrefix(f.Tool[0].Path, required.Path+"/") {
			return required.Version
		}
		if direct == "" && !required.Indirect {
			direct = required.Version
		}
	}
	return direct
}

// addSources writes the module's go.mod and its own code, if it has any.
func addSources(sum io.Writer, module string) error {
	code, err := filepath.Glob(filepath.Join(module, "*.go"))
	if err != nil {
		return err
	}
	for _, path := range append([]string{filepath.Join(module, "go.mod")}, code...) {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, err := sum.Write(content); err != nil {
			return err
		}
	}
	return nil
}

// versionFlags stamps the version that a release build of Kubernetes carries. Without it the API server reports
// v0.0.0 and turns features off.
func versionFlags(pkg, version string) string {
	prefix := " -X " + pkg + "."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return prefix + "gitVersion=" + version + prefix + "gitMajor=" + parts[0] + prefix + "gitMinor=" + parts[1]
}

func (b build) find() (Tools, error) {
	for _, tool := range b.tools {
		if _, err := os.Stat(filepath.Join(b.dir, tool)); err != nil {
			return Tools{}, fmt.Errorf("%s %s is %w: %w", b.name, b.version, ErrNotBuilt, err)
		}
	}
	return Tools{Version: b.version, Dir: b.dir, Module: b.module}, nil
}

// run builds beside the final directory and then renames, so that a killed build leaves no partial result. The caller
// holds the lock.
func (b build) run(ctx context.Context, p *progress) error {
	partial := b.dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	args := append([]string{"build", "-v", "-o", partial + string(filepath.Separator)}, b.flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "tool")...)
	cmd.Dir = b.module
	cgo := "CGO_ENABLED=0"
	if b.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOWORK=off", "GOFLAGS=-mod=readonly")
	dieWithParent(cmd)
	if err := p.watchBuild(cmd); err != nil {
		return err
	}
	return os.Rename(partial, b.dir)
}
