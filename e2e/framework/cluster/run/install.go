package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

const (
	chart           = "deploy/helm/sysctl-injector" // below the working directory, which is the checkout
	systemNamespace = "sysctl-injector-system"
)

// install installs the chart with the checkout's own image. No cert-manager is there, so the servers make their
// certificate.
func install(ctx context.Context, c *cluster.Cluster, dir string) error {
	programs := programsIn(dir)
	if err := os.MkdirAll(programs, 0o700); err != nil {
		return err
	}
	version, err := chartVersion()
	if err != nil {
		return err
	}
	archives, err := images.Project(ctx, ".", programs, version)
	if err != nil {
		return fmt.Errorf("build the image: %w", err)
	}
	if err := c.ImportImages(ctx, archives...); err != nil {
		return err
	}
	helm, err := tools.Ensure(ctx, "helm", os.Stderr)
	if err != nil {
		return err
	}
	cmd := c.Command(ctx, helm.Path("helm"), "install", images.Program, chart, "--namespace", systemNamespace,
		"--create-namespace",
		"--set", "certificates.source=self-managed", "--wait")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("helm install: %w", err)
	}
	return nil
}

// chartVersion is the version whose image the chart installs. The program gets it too: check compares the two.
func chartVersion() (string, error) {
	content, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		return "", err
	}
	var metadata struct{ AppVersion string }
	return metadata.AppVersion, yaml.Unmarshal(content, &metadata)
}

// programsIn is where the program of the checkout is kept, for the person at the terminal.
func programsIn(dir string) string { return filepath.Join(dir, "bin") }
