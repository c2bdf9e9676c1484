package cluster

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

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
		{"no answer", apiServers{err: errors.New("connection refused")}, 0},
		{"the version of a provider", apiServers{version: "v1.34.4-eks-1a2b3c"}, 34},
		{"an upgrade", apiServers{version: "v1.37.2"}, 37},
		{"the last one stays if there is no answer", apiServers{err: errors.New("connection refused")}, 37},
		{"the last one stays if the answer is no version", apiServers{version: "unknown"}, 37},
	} {
		*servers = step.answer
		v.ask(t.Context())
		if got := v.Minor(); got != step.minor || (v.Ready() == nil) != (step.minor != 0) {
			t.Errorf("%s: minor %d, want %d; ready %v", step.name, got, step.minor, v.Ready())
		}
	}
}

// An API server that restarts together with the server costs seconds. One that has no version does not keep the server
// from serving.
func TestVersionWaitsForTheFirstAnswer(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []apiServers // the last one stays
		ready   time.Duration
		minor   uint
	}{
		{"at once", []apiServers{{version: "v1.37.2"}}, 0, 37},
		{"after a restart", []apiServers{{err: errors.New("connection refused")}, {version: "v1.37.2"}}, versionPace, 37},
		{"never", []apiServers{{version: "unknown"}}, versionPatience, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &Version{client: &answers{test.answers}, log: slog.New(slog.DiscardHandler)}
				began := time.Now()
				go func() { _ = v.Start(t.Context()) }()
				for synctest.Wait(); v.Ready() != nil; synctest.Wait() {
					time.Sleep(time.Second)
				}
				if waited := time.Since(began); waited != test.ready || v.Minor() != test.minor {
					t.Errorf("ready after %s with minor %d, want %s and %d", waited, v.Minor(), test.ready, test.minor)
				}
			})
		})
	}
}

// answers are those of an API server, in order.
type answers struct{ next []apiServers }

func (a *answers) ServerVersion() (*apiversion.Info, error) {
	answer := a.next[0]
	if len(a.next) > 1 {
		a.next = a.next[1:]
	}
	return answer.ServerVersion()
}
