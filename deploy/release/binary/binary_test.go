package binary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1"
)

// With an engine and without, the binary is the same.
func TestDockerfileCompilesTheSame(t *testing.T) {
	content, err := os.ReadFile(filepath.FromSlash("../../../Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	// As a shell reads it: continued lines, and a flag's value in quotes.
	command := strings.Join(strings.Fields(strings.ReplaceAll(string(content), "\\\n", " ")), " ")
	trimpath, buildvcs, ldflags := flags("$VERSION")[0], flags("$VERSION")[1], flags("$VERSION")[2]
	for _, want := range []string{
		"CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build " + trimpath + " " + buildvcs + " ",
		strings.Replace(ldflags, "=", ` "`, 1) + `" -o`,
	} {
		if !strings.Contains(command, want) {
			t.Errorf("the Dockerfile does not say %q", want)
		}
	}
}

func TestBuildRejectsVersions(t *testing.T) {
	for _, version := range []string{"", "v1.2.3+build", "v1 -extld=/bin/sh", "-dirty"} {
		config := Config{
			Source:   t.TempDir(),
			Version:  version,
			Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
		}
		if err := config.Build(t.Context(), "nothing"); err == nil ||
			!strings.Contains(err.Error(), "none that an image can be tagged with") {
			t.Errorf("version %q: error %v", version, err)
		}
	}
}
