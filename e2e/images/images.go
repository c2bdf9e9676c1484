// Package images builds the container images of the end-to-end tests without a registry or a container engine: Debian's static
// busybox under the names that pods ask for.
package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Names of the images.
const (
	// Busybox is the webhook's default image for the container that it injects.
	Busybox = "docker.io/library/busybox:1.36"
	// App stands in for any server: whatever its arguments, it answers on AppPort until it is killed. /healthz is a page of it.
	App = "example.com/app:e2e"
	// Pause is what a node's containerd holds a pod's namespaces with.
	Pause = "docker.io/library/pause:e2e"
)

// AppPort is an ingress controller's port for health checks.
const AppPort = "10254"

// Write writes a tarball with all the images, for `ctr images import`.
func Write(path string) error {
	program, err := findBusybox()
	if err != nil {
		return err
	}
	base, err := busybox(program)
	if err != nil {
		return fmt.Errorf("build the busybox image: %w", err)
	}
	images := map[name.Tag]v1.Image{}
	for _, image := range []struct {
		name   string
		config v1.Config
	}{
		{Busybox, v1.Config{Cmd: []string{"sh"}}},
		// A shell's $0 takes the first argument, and the rest are of no use to it.
		{App, v1.Config{Entrypoint: []string{"sh", "-c", "exec httpd -f -p " + AppPort + " -h /www"}}},
		{Pause, v1.Config{Entrypoint: []string{"sleep", "infinity"}}},
	} {
		tag, err := name.NewTag(image.name, name.StrictValidation)
		if err != nil {
			return err
		}
		image.config.Env = []string{"PATH=/bin"}
		if images[tag], err = mutate.Config(base, image.config); err != nil {
			return err
		}
	}
	return tarball.MultiWriteToFile(path, images)
}

// busybox is an image of one layer, with a link for each of busybox's programs.
func busybox(program string) (v1.Image, error) {
	list, err := exec.Command(program, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", program, err)
	}
	content, err := files(program, strings.Fields(string(list)))
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.DockerLayer))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return withPlatform(image)
}

// files is the layer, uncompressed.
func files(program string, links []string) ([]byte, error) {
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	add := func(header tar.Header, data string) {
		header.Size = int64(len(data))
		if err == nil {
			err = archive.WriteHeader(&header)
		}
		if err == nil {
			_, err = archive.Write([]byte(data))
		}
	}
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "sys/", "www/"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, "")
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, "")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "www/healthz", Mode: 0o644}, "ok\n")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, string(binary))
	for _, link := range links {
		if link != "busybox" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + link, Linkname: "busybox", Mode: 0o777}, "")
		}
	}
	return content.Bytes(), errors.Join(err, archive.Close())
}

// findBusybox finds a busybox that needs no libraries, which an image of one file does not have.
func findBusybox() (string, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("%w: the package busybox-static of Debian and Ubuntu has it", err)
	}
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is not linked statically: install the package busybox-static", path)
		}
	}
	return path, nil
}

// withPlatform says what the image runs on, as containerd ignores one that it cannot place.
func withPlatform(image v1.Image) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	return mutate.ConfigFile(image, config)
}
