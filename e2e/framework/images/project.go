package images

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
)

// Repository is where the chart expects the project's own image.
const Repository = "ghcr.io/sysctl-injector/sysctl-injector"

// Program is the name of the project's program, and of its release.
const Program = "sysctl-injector"

// Project builds the checkout's program into dir, and its image as a release has it: an archive for each version that
// is to name it.
func Project(ctx context.Context, checkout, dir string, versions ...string) (archives []string, err error) {
	platform := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	compiled := filepath.Join(dir, Program)
	if err := (binary.Config{Source: checkout, Version: versions[0], Platform: platform}).Build(ctx,
		compiled); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(compiled)
	if err != nil {
		return nil, err
	}
	index, err := image.Config{Version: versions[0], Revision: "none",
		Created: time.Unix(0, 0).UTC()}.Index(image.Binary{Platform: platform, Content: content})
	if err != nil {
		return nil, err
	}
	for _, version := range versions {
		tag, err := name.NewTag(Repository + ":" + version)
		if err != nil {
			return nil, err
		}
		archive := filepath.Join(dir, version+".tar")
		if err := image.WriteArchive(archive, tag, index); err != nil {
			return nil, err
		}
		archives = append(archives, archive)
	}
	return archives, nil
}
