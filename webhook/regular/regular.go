// Package regular reads regular files up to a size limit. A path from a command line or a directory may lead to a
// named pipe without a writer or to an endless device, also by a symbolic link. os.ReadFile would never return from
// either.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile returns the content of the regular file at path. Any other kind of file, and a file of more than limit
// bytes, is an error.
func ReadFile(path string, limit int64) ([]byte, error) {
	// Opening some devices has effects, so the first check comes before. The second check covers a file that is
	// replaced in between. With O_NONBLOCK, opening a named pipe does not wait for a writer.
	info, err := os.Stat(path)
	if problem := (*fs.PathError)(nil); errors.As(err, &problem) {
		problem.Op = "open" // as in the message of os.ReadFile
	}
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	content, err := ReadAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// ReadAll reads to the end. More than limit bytes is an error.
func ReadAll(from io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err == nil && int64(len(content)) > limit {
		return nil, fmt.Errorf("larger than the limit of %d bytes", limit)
	}
	return content, err
}

// kinds names the kinds of file that are not regular.
var kinds = []struct {
	mode fs.FileMode
	name string
}{
	{fs.ModeDir, "a directory"},
	{fs.ModeNamedPipe, "a named pipe"},
	{fs.ModeSocket, "a socket"},
	{fs.ModeDevice, "a device"},
}

func check(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	for _, kind := range kinds {
		if info.Mode()&kind.mode != 0 {
			return fmt.Errorf("%s is %s, not a regular file", path, kind.name)
		}
	}
	return fmt.Errorf("%s is not a regular file", path)
}
