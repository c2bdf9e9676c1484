package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// chart packages the chart with the version of the release, and renders it as deploy/install.yaml has it.
func (r release) chart(ctx context.Context) error {
	helm, err := tools.Ensure(ctx, "helm", r.progress)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sysctl-injector-chart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.copyChart(dir); err != nil {
		return fmt.Errorf("copy the chart: %w", err)
	}
	version := chartVersion(r.version)
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, helm.Path("helm"), args...) //nolint:gosec // of our own making
		var stderr strings.Builder
		cmd.Stderr = &stderr
		output, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("helm %s: %w: %s", args[0], err, stderr.String())
		}
		return output, nil
	}
	if _, err := run("package", dir, "--version="+version, "--app-version="+r.version,
		"--destination="+r.output); err != nil {
		return err
	}
	rendered, err := run("template", "sysctl-injector", filepath.Join(r.output, "sysctl-injector-"+version+".tgz"),
		"--namespace=sysctl-injector-system", "--include-crds", "--no-hooks")
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(r.source, "deploy", installFile))
	if err != nil {
		return err
	}
	// The namespace comes first, which is no part of the chart.
	namespace, _, _ := bytes.Cut(manifest, []byte("---\n"))
	return r.save(installFile, append(namespace, rendered...))
}

// copyChart copies the chart, as old as the commit: helm writes the files' times into its package.
func (r release) copyChart(dir string) error {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(r.source, "deploy", "helm", "sysctl-injector"))); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, root.Chtimes(path, r.created, r.created))
	})
}

var semantic = regexp.MustCompile(`^v(\d+\.\d+\.\d+(-.+)?)$`)

// chartVersion is what helm takes for a version: what git describes without a tag is none.
func chartVersion(version string) string {
	if match := semantic.FindStringSubmatch(version); match != nil {
		return match[1]
	}
	return "0.0.0-g" + version
}
