// Package webhook_test checks what the packages below may depend on.
package webhook_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sysctl-injector/sysctl-injector"

// pure are the packages that decide. They read no file, use no network and call no server, so that tables can test
// them.
var pure = []string{
	"audit", "celtext", "convert", "enrollment", "form", "injection", "inspect", "jsontext", "manifest", "pod",
	"policy", "scan", "status",
	"sysctl", "trial", "workload",
}

// impure are packages that no package of ours may import on the way from a pure one. The API's types import some of
// them for purposes of their own.
var impure = []string{"net", "net/http", "os", "os/exec", "os/signal", "syscall", "io/ioutil", "plugin"}

// clients are modules that no pure package may depend on, however indirectly.
var clients = []string{
	"k8s.io/client-go/", "sigs.k8s.io/controller-runtime/", "k8s.io/apiserver/", "k8s.io/component-base/",
	"github.com/prometheus/", "github.com/valyala/fasthttp", "google.golang.org/grpc",
}

// constants are packages of those modules that only hold constants. Pod Security's checks import them.
var constants = []string{"k8s.io/component-base/version"}

func TestDecisionsArePure(t *testing.T) {
	// The directories are read here too, so that `go test` does not answer from its cache after a file has changed.
	if err := filepath.WalkDir(".", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	for _, name := range pure {
		t.Run(name, func(t *testing.T) {
			for _, p := range dependencies(t, "./"+name) {
				isClient := slices.ContainsFunc(clients,
					func(client string) bool { return strings.HasPrefix(p.ImportPath+"/", client) })
				if isClient && !slices.Contains(constants, p.ImportPath) {
					t.Errorf("depends on %s", p.ImportPath)
				}
				if !strings.HasPrefix(p.ImportPath, module) {
					continue
				}
				for _, imported := range p.Imports {
					if slices.Contains(impure, imported) {
						t.Errorf("%s imports %s", p.ImportPath, imported)
					}
				}
			}
		})
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

// dependencies lists a package and all that it depends on.
func dependencies(t *testing.T, name string) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Imports", name).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
