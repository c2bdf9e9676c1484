package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A name can have characters that a message escapes.
func TestConvertInPlaceOfAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no\u00a0break\n.yaml")
	if err := os.WriteFile(path, []byte(tuned), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, "", "convert", "--in-place", "-f", filepath.Dir(path))
	if code != exitDone || !strings.HasSuffix(out, "converted: 1, left as they are: 0\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	if got, err := os.ReadFile(path); err != nil || strings.Contains(string(got), "initContainers") {
		t.Errorf("%v, the file is\n%s", err, got)
	}
}

// If a file cannot be written, the others are, and the report says what was converted.
func TestConvertInPlaceGoesOnAfterAnError(t *testing.T) {
	folder := t.TempDir()
	deep := folder // so deep that the path of a temporary file is too long for the kernel
	for longest := 4095 - len("/a.yaml"); len(deep) < longest-1; {
		deep += "/" + strings.Repeat("a", min(200, longest-len(deep)-1))
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(folder, "b.yaml")
	for _, path := range []string{filepath.Join(deep, "a.yaml"), last} {
		if err := os.WriteFile(path, []byte(tuned), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errOut := run(t, "", "convert", "--in-place", "-f", folder)
	if code != exitFailed || !strings.Contains(errOut, "error: write "+deep+"/a.yaml: ") ||
		!strings.HasSuffix(out, "converted: 2, left as they are: 0\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	if got, err := os.ReadFile(last); err != nil || strings.Contains(string(got), "initContainers") {
		t.Errorf("%v, the last file is\n%s", err, got)
	}
}
