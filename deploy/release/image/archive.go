package image

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Annotations of an archive's index: what containerd calls the image, and by what skopeo and others choose it.
const (
	fullName = "io.containerd.image.name"
	refName  = "org.opencontainers.image.ref.name"
)

// WriteArchive writes a tarball with the OCI layout of an index, called as the tag says. The same index gives the
// same bytes.
func WriteArchive(path string, tag name.Tag, index v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "sysctl-injector-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	named := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{
		Annotations: map[string]string{fullName: tag.Name(), refName: tag.TagStr()},
	}})
	if _, err := layout.Write(dir, named); err != nil {
		return err
	}
	var entries []Entry
	err = fs.WalkDir(os.DirFS(dir), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, file))
		entries = append(entries, File(file, 0o644, content))
		return err
	})
	if err != nil {
		return err
	}
	archive, err := Tar(time.Time{}, entries...)
	if err != nil {
		return err
	}
	return os.WriteFile(path, archive, 0o644) //nolint:gosec // is there to be read
}

// Entry is a file, a directory or a link in an archive. It belongs to root.
type Entry struct {
	tar.Header
	Content []byte
}

// File is an ordinary file.
func File(path string, mode int64, content []byte) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode}, Content: content}
}

// Tar is an archive of the entries, all of the time given.
func Tar(modified time.Time, entries ...Entry) ([]byte, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, entry := range entries {
		header := entry.Header
		header.ModTime, header.Size = modified, int64(len(entry.Content))
		if err := archive.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(entry.Content); err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return content.Bytes(), err
}
