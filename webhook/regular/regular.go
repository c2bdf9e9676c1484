// Package regular reads regular files, up to a limit. A path from a command line or a directory may lead, also by way of a
// symbolic link, to a named pipe that nobody writes to or to a device without an end: os.ReadFile never returns from either.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile returns the content of the regular file at path. It returns an error for any other kind of file, and for one that has
// more than limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	// Some devices act when they are opened, so the check comes before. A second one covers a file that is replaced in between;
	// with O_NONBLOCK, opening a named pipe does not wait for a writer.
	info, err := os.Stat(path)
	if problem := (*fs.PathError)(nil); errors.As(err, &problem) {
		problem.Op = "open" // people know the message of os.ReadFile
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
	defer f.Close() //nolint:errcheck // nothing was written
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

// ReadAll reads up to the end, and returns an error where that is further than limit bytes away.
func ReadAll(from io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err == nil && int64(len(content)) > limit {
		return nil, fmt.Errorf("larger than the limit of %d bytes", limit)
	}
	return content, err
}

// kinds are the files that people meet in place of regular ones.
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
