// Package image builds the project's container image without a container engine: the same image as the Dockerfile's,
// from a binary that is compiled already. What goes in decides every byte that comes out.
package image

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	program = "sysctl-injector"
	// user is nobody's on any node: the chart's pods must not run as root.
	user = "65532:65532"
	// limit is what may have to be pulled to a node, in bytes.
	limit = 30_000_000
)

// Config is what the binaries do not tell.
type Config struct {
	Version  string
	Revision string    // the commit
	Created  time.Time // stands for every time in the image

	limit int64 // of a test, in place of the usual one
}

// labels are on the image, on its manifest and on the index. The Dockerfile has the same.
func (c Config) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title": "sysctl-injector",
		"org.opencontainers.image.description": "Sets the kernel parameters that pods ask for, " +
			"without making the pods privileged",
		"org.opencontainers.image.source":   "https://github.com/sysctl-injector/sysctl-injector",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.version":  c.Version,
		"org.opencontainers.image.revision": c.Revision,
	}
}

// Binary is a program and what it runs on.
type Binary struct {
	Platform v1.Platform
	Content  []byte
}

// Index is an image for each of the platforms.
func (c Config) Index(binaries ...Binary) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, binary := range binaries {
		image, err := c.image(binary)
		if err != nil {
			return nil, fmt.Errorf("build the image for %s: %w", binary.Platform, err)
		}
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &binary.Platform}})
	}
	return mutate.Annotations(index, c.labels()).(v1.ImageIndex), nil
}

// image has one layer, and in it one file.
func (c Config) image(binary Binary) (v1.Image, error) {
	if err := checkProgram(binary.Content, binary.Platform); err != nil {
		return nil, err
	}
	content, err := Tar(c.Created, File(program, 0o755, binary.Content))
	if err != nil {
		return nil, err
	}
	layer, err := Layer(content)
	if err != nil {
		return nil, err
	}
	size, err := layer.Size()
	if err != nil {
		return nil, err
	}
	if limit := cmp.Or(c.limit, limit); size > limit {
		return nil, fmt.Errorf("it is %d bytes, compressed, and may be no more than %d: find out what made it grow",
			size, limit)
	}
	created := v1.Time{Time: c.Created}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS:           binary.Platform.OS,
		Architecture: binary.Platform.Architecture,
		Created:      created,
		RootFS:       v1.RootFS{Type: "layers"},
		Config:       v1.Config{User: user, Entrypoint: []string{"/" + program}, Labels: c.labels()},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created,
		CreatedBy: "COPY /" + program}})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, c.labels()).(v1.Image), nil
}

// Layer is a layer from an archive, compressed as well as can be: it is built once and pulled often.
func Layer(archive []byte) (v1.Layer, error) {
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithCompressedCaching)
}
