package guard_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/pod-security-admission/api"
	upstream "k8s.io/pod-security-admission/test"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// TestGuardUpstream runs Pod Security admission's own test, with the guard in its place in the namespaces for the API server's
// version or a later one, which Pod Security takes for the same. The other namespaces are left to Pod Security: they show that
// the test runs as upstream means it.
func TestGuardUpstream(t *testing.T) {
	admin := clientset(t)
	text, err := serverVersion(suite.Cluster(t))
	if err != nil {
		t.Fatal(err)
	}
	server := version.MustParseGeneric(text)
	emulated := api.MajorMinorVersion(int(server.Major()), int(server.Minor()))
	upstream.Run(t, upstream.Options{
		ClientConfig:     unlimited(suite.Cluster(t)),
		EmulationVersion: &emulated,
		CreateNamespace: func(_ kubernetes.Interface, name string, of map[string]string) (*corev1.Namespace, error) {
			if server.Minor() <= version.MustParseGeneric(of[api.EnforceVersionLabel]).Minor() {
				of[v1alpha1.EnforceLabel] = of[api.EnforceLevelLabel]
				of[api.EnforceLevelLabel] = string(api.LevelPrivileged)
			}
			var namespace *corev1.Namespace
			var err error
			// The names are upstream's own: with -count=2 the first run's are still being deleted.
			eventually(t, "namespace "+name, func(ctx context.Context) (bool, error) {
				namespace, err = admin.CoreV1().Namespaces().Create(ctx,
					&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: of}}, metav1.CreateOptions{})
				return !apierrors.IsAlreadyExists(err), nil
			})
			if err == nil {
				settle(t, name)
			}
			return namespace, err
		},
	})
}
