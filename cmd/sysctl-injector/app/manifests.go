package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/regular"
)

// file is a manifest that a person named.
type file struct {
	name    string // for messages; "standard input" for "-"
	content []byte
}

var manifestExtensions = []string{".yaml", ".yml", ".json"}

// maxManifests is how many bytes a command reads in all. One manifest has its own limit.
const maxManifests = 8 * manifest.MaxSize

// readFiles reads files, the manifests below directories, and standard input for "-", in the order in which they are named.
func readFiles(names []string, in io.Reader) ([]file, error) {
	var files []file
	left := int64(maxManifests)
	for _, name := range names {
		if name == "-" {
			content, err := regular.ReadAll(in, manifest.MaxSize)
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			files = append(files, file{"standard input", content})
			continue
		}
		below, err := manifestsBelow(name)
		if err != nil {
			return nil, err
		}
		for _, path := range below {
			content, err := regular.ReadFile(path, manifest.MaxSize)
			if err != nil {
				return nil, err
			}
			if left -= int64(len(content)); left < 0 {
				return nil, fmt.Errorf("%s: the manifests are larger than the limit of %d bytes in all", path, maxManifests)
			}
			files = append(files, file{oneLine(path), content})
		}
	}
	return files, nil
}

// manifestsBelow returns the file itself, or the manifests of a directory and of those in it.
func manifestsBelow(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var paths []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains(manifestExtensions, filepath.Ext(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: no .yaml, .yml or .json file in it", name)
	}
	return paths, err
}

// eachFile calls do for every file and joins its errors, each with the name of the file.
func eachFile(files []file, do func(file) error) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, errorsIn(f, do(f))...)
	}
	return errors.Join(errs...)
}

// errorsIn puts the name of a file in front of an error, and of each that it joins.
func errorsIn(f file, err error) (errs []error) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() { //nolint:errorlint // itself, not what it wraps
		for _, one := range joined.Unwrap() {
			errs = append(errs, errorsIn(f, one)...)
		}
		return errs
	}
	return []error{fmt.Errorf("%s: %w", f.name, err)}
}
