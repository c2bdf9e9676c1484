// Package binary compiles the program as it is released: static, without libraries, and the same bytes wherever the
// same sources meet the same Go.
package binary

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1"
)

const command = "github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector"

// versions are safe in the linker's flags, and in an image's tag.
var versions = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Config is what decides the result, besides the sources.
type Config struct {
	Source   string // folder of the module, or in it; the current one where it is empty
	Version  string
	Platform v1.Platform
}

// Build compiles into a file.
func (c Config) Build(ctx context.Context, path string) error {
	if !versions.MatchString(c.Version) {
		return fmt.Errorf("the version %q is none that an image can be tagged with: it must match %s",
			c.Version, versions)
	}
	arguments := slices.Concat([]string{"build"}, flags(c.Version), []string{"-o", path, command})
	cmd := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // the version is checked
	cmd.Dir = c.Source
	cmd.Env = append(os.Environ(), environment(c.Platform)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile for %s: %w\n%s", c.Platform, err, output)
	}
	return nil
}

// flags keep out of the binary where it was compiled and in what state the checkout was.
func flags(version string) []string {
	return []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -X " + command + "/app.version=" + version}
}

// environment leaves nothing that counts to a person's settings.
func environment(platform v1.Platform) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=" + platform.OS, "GOARCH=" + platform.Architecture, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOWORK=off",
	}
}
