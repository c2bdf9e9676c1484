package install_test

import (
	"context"

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

// archives are the files of the project's image, as in a release. The versions differ only in their names.
var archives []string

func writeImages(ctx context.Context) (err error) {
	archives, err = images.Project(ctx, root, dir, former, next, released)
	return err
}

// root is the checkout's.
const root = "../../.."
