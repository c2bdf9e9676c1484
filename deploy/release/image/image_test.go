package image

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64"}

	config = Config{Version: "v1.2.3", Revision: "0123abc", Created: time.Unix(1_700_000_000, 0).UTC()}
)

// elfFile is a program in name only: a header, and segments of the kinds given.
func elfFile(t *testing.T, machine elf.Machine, segments ...elf.ProgType) []byte {
	t.Helper()
	var content bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{
			0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT),
		},
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)),
	}
	parts := []any{header}
	for _, segment := range segments {
		parts = append(parts, elf.Prog64{Type: uint32(segment)})
	}
	for _, part := range parts {
		if err := binary.Write(&content, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return content.Bytes()
}

func programs(t *testing.T) []Binary {
	return []Binary{{amd64, elfFile(t, elf.EM_X86_64, elf.PT_LOAD)}, {arm64, elfFile(t, elf.EM_AARCH64, elf.PT_LOAD)}}
}

// archive writes an image and returns the path.
func archive(t *testing.T, c Config, binaries []Binary) string {
	t.Helper()
	index, err := c.Index(binaries...)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.com/app:" + c.Version)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := WriteArchive(path, tag, index); err != nil {
		t.Fatal(err)
	}
	return path
}

// read finds the one index in an archive, and the annotations of its reference.
func read(t *testing.T, path string) (v1.ImageIndex, map[string]string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := t.TempDir()
	for header, content := range entries(t, file) {
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("the archive has %d references, want 1", len(manifest.Manifests))
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index, manifest.Manifests[0].Annotations
}

func entries(t *testing.T, r io.Reader) map[*tar.Header][]byte {
	t.Helper()
	found := map[*tar.Header][]byte{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if found[header], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArchiveHoldsAnImageForEachPlatform(t *testing.T) {
	binaries := programs(t)
	index, annotations := read(t, archive(t, config, binaries))
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	want := map[string]string{"io.containerd.image.name": "example.com/app:v1.2.3",
		"org.opencontainers.image.ref.name": "v1.2.3"}
	if diff := cmp.Diff(want, annotations); diff != "" {
		t.Error("the archive's names (-want +got):\n" + diff)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.labels(), manifest.Annotations); diff != "" {
		t.Error("the index's annotations (-want +got):\n" + diff)
	}
	if len(manifest.Manifests) != len(binaries) {
		t.Fatalf("the index has %d images, want %d", len(manifest.Manifests), len(binaries))
	}
	for i, binary := range binaries {
		if platform := manifest.Manifests[i].Platform; !platform.Equals(binary.Platform) {
			t.Errorf("image %d is for %s, want %s", i, platform, binary.Platform)
		}
		image, err := index.Image(manifest.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, image, binary)
	}
}

func checkImage(t *testing.T, image v1.Image, binary Binary) {
	t.Helper()
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !file.Platform().Equals(binary.Platform) || !file.Created.Equal(config.Created) {
		t.Errorf("the image says it is for %s, of %s", file.Platform(), file.Created)
	}
	want := v1.Config{User: "65532:65532", Entrypoint: []string{"/sysctl-injector"}, Labels: config.labels()}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Error("the image's configuration (-want +got):\n" + diff)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.labels(), manifest.Annotations); diff != "" {
		t.Error("the manifest's annotations (-want +got):\n" + diff)
	}
	content := mutate.Extract(image)
	defer content.Close()
	for header, content := range entries(t, content) {
		if header.Name != "sysctl-injector" || header.Mode != 0o755 || header.Uid != 0 ||
			!bytes.Equal(content, binary.Content) {
			t.Errorf("the image holds %s, mode %o, user %d, %d bytes",
				header.Name, header.Mode, header.Uid, len(content))
		}
		if !header.ModTime.Equal(config.Created) {
			t.Errorf("%s is of %s, want %s", header.Name, header.ModTime, config.Created)
		}
	}
}

func TestSameInSameOut(t *testing.T) {
	bytesOf := func(c Config) []byte {
		t.Setenv("TMPDIR", t.TempDir())
		content, err := os.ReadFile(archive(t, c, programs(t)))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	first := bytesOf(config)
	if !bytes.Equal(first, bytesOf(config)) {
		t.Error("two archives of the same image differ")
	}
	other := config
	other.Created = other.Created.Add(time.Second)
	if bytes.Equal(first, bytesOf(other)) {
		t.Error("the archives of two images are the same")
	}
}

func TestIndexRejects(t *testing.T) {
	config := config
	config.limit = 1000
	noise := make([]byte, config.limit) // which cannot be compressed
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	x86 := elfFile(t, elf.EM_X86_64, elf.PT_LOAD)
	for _, test := range []struct {
		name   string
		binary Binary
		want   string
	}{
		{"what is no program", Binary{amd64, []byte("#!/bin/sh")},
			"build the image for linux/amd64: read it as an ELF file: "},
		{"another machine's program", Binary{arm64, x86}, "it is compiled for EM_X86_64, not for linux/arm64"},
		{"a program that needs libraries", Binary{amd64, elfFile(t, elf.EM_X86_64, elf.PT_INTERP, elf.PT_LOAD)},
			"it is not linked statically"},
		{"another system", Binary{v1.Platform{OS: "darwin", Architecture: "arm64"}, x86},
			"no images are made for darwin/arm64"},
		{"what is too big", Binary{amd64, append(x86, noise...)}, "may be no more than 1000: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := config.Index(test.binary); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// With an engine and without, the image is the same.
func TestDockerfileSaysTheSame(t *testing.T) {
	content, err := os.ReadFile(filepath.FromSlash("../../../Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(content), "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile has no stage `FROM scratch`")
	}
	labels := map[string]string{}
	for _, match := range regexp.MustCompile(`([a-z.]+)="(.*?)"`).FindAllStringSubmatch(final, -1) {
		labels[match[1]] = match[2]
	}
	// The arguments of the build that the rest comes from.
	if diff := cmp.Diff(Config{Version: "$VERSION", Revision: "$REVISION"}.labels(), labels); diff != "" {
		t.Error("the Dockerfile's labels (-want +got):\n" + diff)
	}
	lines := slices.Collect(strings.Lines(final))
	for _, want := range []string{"ARG VERSION REVISION", "USER " + user, `ENTRYPOINT ["/` + program + `"]`,
		"COPY --from=build /" + program + " /" + program} {
		if !slices.Contains(lines, want+"\n") {
			t.Errorf("the Dockerfile's final stage has no line %q", want)
		}
	}
}
