package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/binary"
	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
	"github.com/sysctl-injector/sysctl-injector/deploy/release/sbom"
)

// repository is where the chart looks for the image.
const repository = "ghcr.io/sysctl-injector/sysctl-injector"

// Files of a release, besides the binaries, their SBOMs and the chart.
const (
	imageFile   = "sysctl-injector-image.tar"
	installFile = "install.yaml"
	sumsFile    = "SHA256SUMS"
)

// release is what the flags say.
type release struct {
	source, output    string
	version, revision string
	created           time.Time
	platforms         []v1.Platform
	progress          io.Writer
}

// write writes everything.
func (r release) write(ctx context.Context) error {
	if err := r.makeOutput(); err != nil {
		return err
	}
	programs, err := r.compile(ctx, r.output)
	if err != nil {
		return err
	}
	for _, program := range programs {
		var document bytes.Buffer
		if err := sbom.Write(&document, program.Content, r.version, r.created); err != nil {
			return fmt.Errorf("list what the binary for %s is made of: %w", program.Platform, err)
		}
		if err := r.save(fileName(program.Platform)+".cdx.json", document.Bytes()); err != nil {
			return err
		}
	}
	if err := r.archive(programs); err != nil {
		return err
	}
	if err := r.plugin(programs); err != nil {
		return fmt.Errorf("pack the kubectl plugin: %w", err)
	}
	if err := r.chart(ctx); err != nil {
		return err
	}
	return r.sum()
}

// writeImage writes the image alone.
func (r release) writeImage(ctx context.Context) error {
	if err := r.makeOutput(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sysctl-injector-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.platforms = slices.DeleteFunc(r.platforms, func(p v1.Platform) bool { return p.OS != "linux" })
	programs, err := r.compile(ctx, dir)
	if err != nil {
		return err
	}
	return r.archive(programs)
}

// makeOutput keeps releases apart: what lies there would be taken for a part of this one.
func (r release) makeOutput() error {
	if err := os.MkdirAll(r.output, 0o755); err != nil { //nolint:gosec // is there to be read
		return err
	}
	found, err := os.ReadDir(r.output)
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%s is not empty: remove it, or name another folder with --output", r.output)
	}
	return err
}

func fileName(platform v1.Platform) string {
	return "sysctl-injector-" + platform.OS + "-" + platform.Architecture
}

// compile compiles for all platforms into a folder.
func (r release) compile(ctx context.Context, dir string) ([]image.Binary, error) {
	dir, err := filepath.Abs(dir) // the compiler runs in the checkout
	if err != nil {
		return nil, err
	}
	var programs []image.Binary
	for _, platform := range r.platforms {
		fmt.Fprintln(r.progress, "Compiling for", platform)
		path := filepath.Join(dir, fileName(platform))
		config := binary.Config{Source: r.source, Version: r.version, Platform: platform}
		if err := config.Build(ctx, path); err != nil {
			return nil, err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		programs = append(programs, image.Binary{Platform: platform, Content: content})
	}
	return programs, nil
}

// archive writes the image with those of the programs that run on Linux.
func (r release) archive(programs []image.Binary) error {
	var contained []image.Binary
	for _, program := range programs {
		if program.Platform.OS == "linux" {
			contained = append(contained, program)
		}
	}
	if len(contained) == 0 {
		return errors.New("the image is for Linux: name linux/amd64 or linux/arm64 among the platforms")
	}
	tag, err := name.NewTag(repository+":"+r.version, name.StrictValidation)
	if err != nil {
		return err
	}
	index, err := image.Config{Version: r.version, Revision: r.revision, Created: r.created}.Index(contained...)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(r.progress, "%s has the digest %s\n", tag, digest)
	return image.WriteArchive(filepath.Join(r.output, imageFile), tag, index)
}

// sum writes what `sha256sum --check` reads.
func (r release) sum() error {
	files, err := os.ReadDir(r.output)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(r.output, file.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), file.Name())
	}
	return r.save(sumsFile, sums.Bytes())
}

func (r release) save(file string, content []byte) error {
	return os.WriteFile(filepath.Join(r.output, file), content, 0o644) //nolint:gosec // is there to be read
}
