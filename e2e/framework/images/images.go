// Package images builds the container images of the end-to-end tests without a registry or a container engine:
// Debian's static busybox under the names that pods ask for.
package images

import (
	"archive/tar"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
)

// Names of the images.
const (
	// Busybox is the webhook's default image for the container that it injects.
	Busybox = "docker.io/library/busybox:1.36"
	// App is an HTTP server. It ignores its arguments, and answers on AppPort, also at /healthz, until it is killed.
	App = "example.com/app:e2e"
	// Reporter is a busybox whose sysctl first prints what its process may do: /proc/self/status, what it sees of
	// other processes, and how a write of ReportedWrite ends.
	Reporter = "docker.io/library/busybox:reporter"
	// Pause is the image of the sandbox containers, which hold the namespaces of pods.
	Pause = "docker.io/library/pause:e2e"
)

// AppPort is an ingress controller's port for health checks.
const AppPort = "10254"

// ReportedWrite is a sysctl of the node, for which only a privileged process has the right.
const ReportedWrite = "vm.swappiness=1"

// reporter stands in for busybox's sysctl. The shell opens the files itself, so it prints its own status.
const reporter = `#!/bin/sh
while read -r line; do echo "$line"; done </proc/self/status
echo processes: /proc/[0-9]*
busybox sysctl -w ` + ReportedWrite + ` 2>&1
exec busybox sysctl "$@"
`

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
	reporting, err := withReporter(base)
	if err != nil {
		return fmt.Errorf("build the reporting image: %w", err)
	}
	images := map[name.Tag]v1.Image{}
	for _, wanted := range []struct {
		name   string
		base   v1.Image
		config v1.Config
	}{
		{Busybox, base, v1.Config{Cmd: []string{"sh"}}},
		{Reporter, reporting, v1.Config{Cmd: []string{"sh"}}},
		// The first argument becomes the shell's $0, and the others are ignored.
		{App, base, v1.Config{Entrypoint: []string{"sh", "-c", "exec httpd -f -p " + AppPort + " -h /www"}}},
		{Pause, base, v1.Config{Entrypoint: []string{"sleep", "infinity"}}},
	} {
		tag, err := name.NewTag(wanted.name, name.StrictValidation)
		if err != nil {
			return err
		}
		wanted.config.Env = []string{"PATH=/bin"}
		if images[tag], err = mutate.Config(wanted.base, wanted.config); err != nil {
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
	layer, err := image.Layer(content)
	if err != nil {
		return nil, err
	}
	base, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return withPlatform(base)
}

// withReporter puts the reporter in the place of busybox's sysctl.
func withReporter(base v1.Image) (v1.Image, error) {
	content, err := image.Tar(time.Time{}, image.File("bin/sysctl", 0o755, []byte(reporter)))
	if err != nil {
		return nil, err
	}
	layer, err := image.Layer(content)
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(base, layer)
}

// files is the layer, uncompressed.
func files(program string, links []string) ([]byte, error) {
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	entry := func(header tar.Header) image.Entry { return image.Entry{Header: header} }
	var entries []image.Entry
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "sys/", "www/"} {
		entries = append(entries, entry(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}))
	}
	entries = append(entries,
		entry(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}),
		image.File("etc/passwd", 0o644, []byte("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")),
		image.File("www/healthz", 0o644, []byte("ok\n")),
		image.File("bin/busybox", 0o755, binary))
	for _, link := range links {
		if link != "busybox" {
			entries = append(entries, entry(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + link,
				Linkname: "busybox", Mode: 0o777}))
		}
	}
	return image.Tar(time.Time{}, entries...)
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
	if err := image.CheckStatic(file); err != nil {
		return "", fmt.Errorf("%s: %w: install the package busybox-static", path, err)
	}
	return path, nil
}

// withPlatform states the image's platform. Without it, containerd ignores the image.
func withPlatform(base v1.Image) (v1.Image, error) {
	config, err := base.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	return mutate.ConfigFile(base, config)
}
