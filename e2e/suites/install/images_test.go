package install_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/binary"
	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// repository is the chart's own.
const repository = "ghcr.io/sysctl-injector/sysctl-injector"

// Versions to upgrade from and to, and the one that a release's manifest names.
const (
	former   = "v0.0.1"
	next     = "v0.0.2"
	released = "v0.1.0"
)

// importImages gives the node the project's image, as a release has it. The versions differ in name.
func importImages(ctx context.Context, c *cluster.Cluster) error {
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	compiled := filepath.Join(dir, program)
	if err := (binary.Config{Source: root, Version: former, Platform: platform}).Build(ctx, compiled); err != nil {
		return err
	}
	content, err := os.ReadFile(compiled)
	if err != nil {
		return err
	}
	index, err := image.Config{Version: former, Revision: "none", Created: time.Unix(0, 0).UTC()}.Index(image.Binary{Platform: platform, Content: content})
	if err != nil {
		return err
	}
	for _, version := range []string{former, next, released} {
		tag, err := name.NewTag(repository + ":" + version)
		if err != nil {
			return err
		}
		archive := filepath.Join(dir, version+".tar")
		if err := image.WriteArchive(archive, tag, index); err != nil {
			return err
		}
		if err := c.ImportImages(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// root is the checkout's.
const root = "../../.."
