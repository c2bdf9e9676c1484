package regular

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("four"), []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": "four", "zero": "/dev/zero", "linked-pipe": "pipe"} {
		if err := os.Symlink(target, path(link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir) // the path of a socket is short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	tests := []struct {
		name, path string
		limit      int64
		err        string
	}{
		{"reads a file as long as the limit", "four", 4, ""},
		{"follows a link to a file", "link", 4, ""},
		{"rejects a longer file", "four", 3, "read four: larger than the limit of 3 bytes"},
		{"rejects a directory", ".", 4, ". is a directory, not a regular file"},
		{"rejects a named pipe", "pipe", 4, "pipe is a named pipe, not a regular file"},
		{"rejects a link to a named pipe", "linked-pipe", 4, "linked-pipe is a named pipe, not a regular file"},
		{"rejects a link to a device", "zero", 4, "zero is a device, not a regular file"},
		{"rejects a socket", "socket", 4, "socket is a socket, not a regular file"},
		{"rejects a file that does not exist", "gone", 4, "open gone: no such file or directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			content, err := ReadFile(test.path, test.limit)
			if test.err == "" && (err != nil || string(content) != "four") {
				t.Errorf("got %q, %v", content, err)
			}
			if test.err != "" && (err == nil || err.Error() != test.err) {
				t.Errorf("got %v, want %s", err, test.err)
			}
		})
	}
}

// A file under /proc states no size, and is read up to its end all the same.
func TestReadFileWithoutASize(t *testing.T) {
	content, err := ReadFile("/proc/self/status", 1<<20)
	if err != nil || !strings.Contains(string(content), "Pid:") {
		t.Errorf("got %q, %v", content, err)
	}
}
