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

const (
	// versionPeriod is how often the version is read. An upgrade of the API servers changes it while this server runs.
	versionPeriod = time.Minute
	// versionPace is how often it is read until there is an answer.
	versionPace = 2 * time.Second
	// versionPatience limits the wait for the first answer. A server without the version is better than none.
	versionPatience = time.Minute
	versionTimeout  = 5 * time.Second // for one call
)

// Version is the version of the cluster's API servers.
type Version struct {
	client  discovery.ServerVersionInterface
	backend grants.Backend
	log     *slog.Logger
	minor   atomic.Uint32 // 0 until it is known
	gaveUp  atomic.Bool   // the wait for the first answer
}

// NewVersion returns a Version. Start reads it, and logs the features that the grants' backend needs and the cluster
// lacks.
func NewVersion(config *rest.Config, backend grants.Backend, log *slog.Logger) (*Version, error) {
	config = rest.CopyConfig(config)
	config.Timeout = versionTimeout // the discovery client takes no context
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Version{client: client, backend: backend, log: log}, nil
}

// Minor returns the minor version, or 0 while it is unknown. With 0, pods get the forms that work in every version.
func (v *Version) Minor() uint { return uint(v.minor.Load()) }

// Ready returns an error until the version is known. After a minute without an answer, the server serves without it.
func (v *Version) Ready() error {
	if v.Minor() == 0 && !v.gaveUp.Load() {
		return errors.New("the version of Kubernetes has not been read yet")
	}
	return nil
}

// Start reads the version periodically, until ctx ends.
func (v *Version) Start(ctx context.Context) error {
	_ = wait.PollUntilContextTimeout(ctx, versionPace, versionPatience, true, func(ctx context.Context) (bool, error) {
		v.ask(ctx)
		return v.Minor() != 0, nil
	})
	v.gaveUp.Store(true)
	_ = wait.PollUntilContextCancel(ctx, versionPeriod, false, func(ctx context.Context) (bool, error) {
		v.ask(ctx)
		return false, nil
	})
	return nil
}

// ask reads the version once. Without an answer, the last known version stays.
func (v *Version) ask(ctx context.Context) {
	if err := v.read(ctx); err != nil && ctx.Err() == nil {
		v.log.WarnContext(ctx, "Cannot read the version of Kubernetes", "cause", err.Error())
	}
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
