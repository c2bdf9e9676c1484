package certs

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// publish adds a CA to the caBundles. Without a webhook configuration, nothing calls the server.
func (s *SelfManaged) publish(ctx context.Context, ca []byte) error {
	configuration, found := s.configuration.get()
	if !found {
		return nil
	}
	changed := configuration.DeepCopy()
	var bundles []*[]byte
	for n := range changed.Webhooks {
		bundles = append(bundles, &changed.Webhooks[n].ClientConfig.CABundle)
	}
	return s.patchBundles(ctx, s.configuration.what, configuration, changed, bundles, ca)
}

// publishForWarnings does the same for the entry that only warns. A server that may not watch that configuration does without.
func (s *SelfManaged) publishForWarnings(ctx context.Context, ca []byte) error {
	if s.warnings == nil || s.warnings.unknown() != nil {
		return nil
	}
	configuration, found := s.warnings.get()
	if !found {
		return nil
	}
	changed := configuration.DeepCopy()
	var bundles []*[]byte
	for n := range changed.Webhooks {
		bundles = append(bundles, &changed.Webhooks[n].ClientConfig.CABundle)
	}
	return s.patchBundles(ctx, s.warnings.what, configuration, changed, bundles, ca)
}

// patchBundles adds a CA to the bundles, which are those of changed, a copy of found.
func (s *SelfManaged) patchBundles(ctx context.Context, what string, found, changed client.Object, bundles []*[]byte, ca []byte) error {
	differs := false
	for _, bundle := range bundles {
		wanted, changes, err := withCA(*bundle, ca, s.now())
		if err != nil {
			return err
		}
		if changes {
			*bundle, differs = wanted, true
		}
	}
	if !differs {
		return nil
	}
	patch := client.StrategicMergeFrom(found, client.MergeFromWithOptimisticLock{})
	if err := s.client.Patch(ctx, changed, patch); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch %s: %w", what, err)
	}
	return nil
}
