package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// versionPeriod is how often the version is read. An upgrade of the API servers changes it while this server runs.
const versionPeriod = time.Minute

// Version is the version of the cluster's API servers.
type Version struct {
	client  discovery.ServerVersionInterface
	backend grants.Backend
	log     *slog.Logger
	minor   atomic.Uint32 // 0 until it is known
	asked   atomic.Bool
}

// NewVersion returns a Version. Start reads it, and logs the features that the grants' backend needs and the cluster
// lacks.
func NewVersion(config *rest.Config, backend grants.Backend, log *slog.Logger) (*Version, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Version{client: client, backend: backend, log: log}, nil
}

// Minor returns the minor version, or 0 while it is unknown. With 0, pods get the forms that work in every version.
func (v *Version) Minor() uint { return uint(v.minor.Load()) }

// Ready returns an error until the API server has been asked once. If the answer has no version, the server serves
// without it.
func (v *Version) Ready() error {
	if !v.asked.Load() {
		return errors.New("the version of Kubernetes has not been read yet")
	}
	return nil
}

// Start reads the version periodically, until ctx ends.
func (v *Version) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, v.ask, versionPeriod)
	return nil
}

// ask reads the version once. Without an answer, the last known version stays.
func (v *Version) ask(ctx context.Context) {
	if err := v.read(ctx); err != nil && ctx.Err() == nil {
		v.log.WarnContext(ctx, "Cannot read the version of Kubernetes", "cause", err.Error())
	}
	v.asked.Store(true)
}

func (v *Version) read(ctx context.Context) error {
	found, err := v.client.ServerVersion()
	if err != nil {
		return err
	}
	minor, err := form.ParseKubernetes(found.GitVersion)
	if err != nil {
		return fmt.Errorf("version %q: %w", found.GitVersion, err)
	}
	if before := v.minor.Swap(uint32(minor)); uint(before) == minor { //nolint:gosec // a minor version of Kubernetes
		return nil
	}
	for _, missing := range inspect.Lacking(minor, string(v.backend)) {
		v.log.WarnContext(ctx, "Kubernetes lacks a feature", "kubernetes", found.GitVersion, "feature", missing.Name,
			"effect", missing.Effect)
	}
	return nil
}
