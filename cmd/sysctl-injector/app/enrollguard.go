package app

import (
	"cmp"
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// guardOf reads the guard of a cluster, and renders the guard that this version has for the same installation. The
// settings are the defaults: they do not decide whether the guard covers a namespace.
func guardOf(ctx context.Context, cluster client.Client, kubernetes string) (inspect.Guarding, error) {
	g := inspect.Guarding{Kubernetes: kubernetes, Settings: defaultSettings()}
	var err error
	if g.Namespace, err = installationNamespace(ctx, cluster); err != nil {
		return g, err
	}
	if g.Rendered, err = renderedGuard(kubernetes, g.Namespace, g.Settings); err != nil {
		return g, err
	}
	g.Installed, err = installedGuard(ctx, cluster)
	return g, err
}

// renderedGuard returns the guard that this version has for an installation.
func renderedGuard(kubernetes, namespace string, settings inspect.Settings) (inspect.Guard, error) {
	objects, err := guard.Render(guard.Config{
		Images: []string{settings.Image}, GuestHandlers: settings.GuestHandlers,
		KubeletSysctls: settings.KubeletSysctls, KubernetesVersion: kubernetes,
	})
	if err != nil {
		return inspect.Guard{}, err
	}
	return inspect.NewGuard(objects).In(namespace)
}

// installationNamespace returns the namespace of the webhook's service, or the default one if there is no service.
func installationNamespace(ctx context.Context, cluster client.Client) (string, error) {
	var configurations admissionregistrationv1.MutatingWebhookConfigurationList
	if err := listAll(ctx, cluster, &configurations); err != nil {
		return "", fmt.Errorf("find the installation: %w", err)
	}
	webhooks, err := inspect.FindWebhooks(configurations.Items, nil)
	return cmp.Or(webhooks.Namespace(), inspect.SystemNamespace), err
}

// installedGuard reads the policies and bindings that may be part of the guard.
func installedGuard(ctx context.Context, cluster client.Client) (inspect.Guard, error) {
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	for _, list := range []client.ObjectList{&policies, &bindings} {
		if err := listAll(ctx, cluster, list); err != nil {
			return inspect.Guard{}, fmt.Errorf("read the guard: %w", err)
		}
	}
	return inspect.Guard{Policies: policies.Items, Bindings: bindings.Items}, nil
}

// guardRemedy says how to install the guard of this version, with the server's settings.
func guardRemedy(ctx context.Context, cluster client.Client, g inspect.Guarding) string {
	what := fmt.Sprintf("install the guard of this version (%s) for Kubernetes %s: ", buildVersion(), g.Kubernetes)
	deployment := &appsv1.Deployment{}
	err := cluster.Get(ctx, client.ObjectKey{Namespace: g.Namespace, Name: "sysctl-injector"}, deployment)
	switch {
	case err == nil:
		g.Settings = inspect.SettingsOf(deployment, g.Settings)
	case !apierrors.IsNotFound(err):
		return what + "sysctl-injector check prints the command, if you may read the server's Deployment"
	}
	return what + g.Command()
}
