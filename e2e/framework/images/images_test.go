package images

import (
	"archive/tar"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestWrite(t *testing.T) {
	if _, err := findBusybox(); errors.Is(err, exec.ErrNotFound) {
		t.Skipf("NOT RUN: %v", err)
	}
	path := filepath.Join(t.TempDir(), "images.tar")
	if err := Write(path); err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{Busybox, App, Pause} {
		t.Run(image, func(t *testing.T) {
			tag, err := name.NewTag(image)
			if err != nil {
				t.Fatal(err)
			}
			found, err := tarball.ImageFromPath(path, &tag)
			if err != nil {
				t.Fatal(err)
			}
			content := mutate.Extract(found)
			defer content.Close()
			links := map[string]string{}
			for archive := tar.NewReader(content); ; {
				header, err := archive.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				links[header.Name] = header.Linkname
			}
			for _, program := range []string{"bin/sysctl", "bin/sh", "bin/httpd", "bin/sleep"} {
				if links[program] != "busybox" {
					t.Errorf("%s links to %q, want busybox", program, links[program])
				}
			}
		})
	}
}
