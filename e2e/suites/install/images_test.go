package install_test

import (
	"context"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

// repository is the chart's own.
const repository = images.Repository

// Versions to upgrade from and to, and the one that a release's manifest names.
const (
	former   = "v0.0.1"
	next     = "v0.0.2"
	released = "v0.1.0"
)

// importImages gives the node the project's image, as a release has it. The versions differ in name.
func importImages(ctx context.Context, c *cluster.Cluster) error {
	archives, err := images.Project(ctx, root, dir, former, next, released)
	if err != nil {
		return err
	}
	return c.ImportImages(ctx, archives...)
}

// root is the checkout's.
const root = "../../.."
