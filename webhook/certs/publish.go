package certs

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// publish adds a CA to the caBundles of a webhook configuration. Without the configuration, nothing calls the server.
func publish[T client.Object](ctx context.Context, s *SelfManaged, configuration *object[T], ca []byte) error {
	found, exists := configuration.get()
	if !exists {
		return nil
	}
	changed := found.DeepCopyObject().(T)
	differs := false
	for _, bundle := range bundlesOf(changed) {
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
	if err := s.client.Patch(ctx, changed, patch); err != nil && !apierrors.IsConflict(err) &&
		!apierrors.IsNotFound(err) {
		return fmt.Errorf("patch %s: %w", configuration.what, err)
	}
	return nil
}

// bundlesOf returns the caBundle of each webhook of a configuration.
func bundlesOf(configuration client.Object) (bundles []*[]byte) {
	switch c := configuration.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for n := range c.Webhooks {
			bundles = append(bundles, &c.Webhooks[n].ClientConfig.CABundle)
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for n := range c.Webhooks {
			bundles = append(bundles, &c.Webhooks[n].ClientConfig.CABundle)
		}
	}
	return bundles
}
