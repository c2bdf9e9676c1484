package cluster

import (
	"errors"
	"log/slog"
	"testing"

	apiversion "k8s.io/apimachinery/pkg/version"
)

// apiServers answer with a version, or an error.
type apiServers struct {
	version string
	err     error
}

func (a *apiServers) ServerVersion() (*apiversion.Info, error) {
	return &apiversion.Info{GitVersion: a.version}, a.err
}

func TestVersion(t *testing.T) {
	servers := &apiServers{err: errors.New("connection refused")}
	v := &Version{client: servers, log: slog.New(slog.DiscardHandler)}
	if v.Ready() == nil || v.Minor() != 0 {
		t.Errorf("before it was asked: ready %v, minor %d", v.Ready(), v.Minor())
	}
	for _, step := range []struct {
		name   string
		answer apiServers
		minor  uint
	}{
		{"a server that does not answer is no reason not to serve",
			apiServers{err: errors.New("connection refused")}, 0},
		{"the version of a provider", apiServers{version: "v1.34.4-eks-1a2b3c"}, 34},
		{"an upgrade", apiServers{version: "v1.37.2"}, 37},
		{"the last one stays if there is no answer", apiServers{err: errors.New("connection refused")}, 37},
		{"the last one stays if the answer is no version", apiServers{version: "unknown"}, 37},
	} {
		*servers = step.answer
		v.ask(t.Context())
		if got := v.Minor(); got != step.minor || v.Ready() != nil {
			t.Errorf("%s: minor %d, want %d; ready %v", step.name, got, step.minor, v.Ready())
		}
	}
}
