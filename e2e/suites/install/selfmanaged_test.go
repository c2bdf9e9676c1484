package install_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Without cert-manager, and in a namespace of another name.
func TestSelfManaged(t *testing.T) {
	const namespace = "sysctls"
	uninstalled(t)
	defer keepLogs(t)
	install(t, namespace, former, "--set=certificates.source=self-managed")
	serving(t, namespace, former)
	wantValue(t, "self-managed")
	l := startLoad(t)
	for _, rotation := range []struct {
		what string
		lose func(context.Context, *corev1.Secret) error
	}{
		{"the servers renew their certificate", func(ctx context.Context, secret *corev1.Secret) error {
			secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = nil, nil
			return objects.Update(ctx, secret)
		}},
		{"the servers renew their CA", func(ctx context.Context,
			secret *corev1.Secret) error {
			return objects.Delete(ctx, secret)
		}},
	} {
		t.Run(rotation.what, func(t *testing.T) {
			counted := l.during(t, func() {
				secret := &corev1.Secret{}
				get(t, client.ObjectKey{Namespace: namespace, Name: program + "-tls"}, secret)
				former := secret.DeepCopy()
				must(t, rotation.lose(t.Context(), secret))
				renewed(t, former)
			})
			report(rotation.what, counted)
			wantNone(t, counted)
		})
	}
}
