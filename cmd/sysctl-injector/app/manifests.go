package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/regular"
)

// file is a manifest that a flag or an argument names.
type file struct {
	name    string // for messages; "standard input" for "-"
	path    string // "" if it is not a file on this machine
	content []byte
}

// standardInput is the name of standard input in messages.
const standardInput = "standard input"

var manifestExtensions = []string{".yaml", ".yml", ".json"}

// maxManifests limits the total size of the manifests that one flag names, or the arguments. One manifest has its own
// limit.
const maxManifests = 8 * manifest.MaxSize

// readFiles reads files, directories, URLs, and standard input for "-", in the order of their names. Errors name the
// flag, which is empty for arguments.
func readFiles(ctx context.Context, flag string, names []string, in io.Reader) ([]file, error) {
	var files []file
	left := int64(maxManifests)
	for _, name := range names {
		read, err := readNamed(ctx, name, in, &left)
		if err != nil && flag != "" {
			err = fmt.Errorf("%s: %w", flag, err)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, read...)
	}
	return files, nil
}

// readNamed reads the manifests of one name. left is how many more bytes may be read.
func readNamed(ctx context.Context, name string, in io.Reader, left *int64) (files []file, err error) {
	add := func(f file) error {
		if *left -= int64(len(f.content)); *left < 0 {
			return fmt.Errorf("%s: the manifests are larger than the limit of %d bytes in all", f.name, maxManifests)
		}
		files = append(files, f)
		return nil
	}
	switch {
	case name == "-":
		content, err := regular.ReadAll(in, manifest.MaxSize)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		err = add(file{name: standardInput, content: content})
		return files, err
	case isAddress(name):
		content, err := download(ctx, name)
		if err != nil {
			return nil, err
		}
		err = add(file{name: displayName(name), content: content})
		return files, err
	}
	paths, err := matching(name)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		below, err := manifestsBelow(path)
		if err != nil {
			return nil, err
		}
		for _, path := range below {
			content, err := regular.ReadFile(path, manifest.MaxSize)
			if err != nil {
				return nil, err
			}
			if err := add(file{name: oneLine(path), path: path, content: content}); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// matching returns the paths that match a pattern, or the path itself if it is not a pattern. A file whose name looks
// like a pattern is a path.
func matching(name string) ([]string, error) {
	if _, err := os.Lstat(name); err == nil || !strings.ContainsAny(name, "*?[") {
		return []string{name}, nil
	}
	paths, err := filepath.Glob(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%q matches no file", name)
	}
	return paths, nil
}

// manifestsBelow returns the file itself, or the manifests of a directory and its subdirectories.
func manifestsBelow(name string) ([]string, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the path %q does not exist", name)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var paths []string
	root := name + string(filepath.Separator) // so that a link to a directory is followed
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains(manifestExtensions, filepath.Ext(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s: the directory has no .yaml, .yml or .json file", name)
	}
	return paths, err
}

// withoutDuplicates leaves out each file that is already in the list, also under another name.
func withoutDuplicates(files []file) []file {
	seen := sets.New[string]()
	return slices.DeleteFunc(files, func(f file) bool {
		if f.path == "" {
			return false
		}
		path, err := filepath.EvalSymlinks(f.path)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil || !seen.Has(path) {
			seen.Insert(path)
			return false
		}
		return true
	})
}

// eachFile calls do for every file and joins its errors, each with the name of the file.
func eachFile(files []file, do func(file) error) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, errorsIn(f, do(f))...)
	}
	return errors.Join(errs...)
}

// errorsIn prefixes an error with the name of a file. It prefixes each of joined errors.
func errorsIn(f file, err error) (errs []error) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok &&
		err.Error() == errors.Join(joined.Unwrap()...).Error() {
		for _, one := range joined.Unwrap() {
			errs = append(errs, errorsIn(f, one)...)
		}
		return errs
	}
	return []error{fmt.Errorf("%s: %w", f.name, err)}
}
