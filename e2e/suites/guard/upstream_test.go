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

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// TestGuardUpstream runs Pod Security admission's own test, with the guard in its place in the namespaces for the API
// server's version. In namespaces for a later version, the guard for that version acts. In the other namespaces Pod
// Security acts: they show that the test runs as upstream intends.
func TestGuardUpstream(t *testing.T) {
	admin := clientset(t)
	minor := int(server(t).minor)
	if minor < newestMinor {
		installBeside(t, minor+1, newestMinor)
	}
	emulated := api.MajorMinorVersion(1, minor)
	upstream.Run(t, upstream.Options{
		ClientConfig:     clustertest.AdminConfig(suite.Cluster(t)),
		EmulationVersion: &emulated,
		Checks:           server(t).checks(),
		CreateNamespace: func(_ kubernetes.Interface, name string, of map[string]string) (*corev1.Namespace, error) {
			level := api.Level(of[api.EnforceLevelLabel])
			enforced := int(version.MustParseGeneric(of[api.EnforceVersionLabel]).Minor())
			if enforced >= minor {
				of[api.EnforceLevelLabel] = string(api.LevelPrivileged)
			}
			later := minor < enforced && enforced <= newestMinor
			if enforced >= minor && !later {
				of[v1alpha1.EnforceLabel] = string(level)
			}
			var namespace *corev1.Namespace
			var err error
			// The names are upstream's: with -count=2, the namespaces of the first run are still being deleted.
			eventually(t, "namespace "+name, func(ctx context.Context) (bool, error) {
				namespace, err = admin.CoreV1().Namespaces().Create(ctx,
					&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: of}}, metav1.CreateOptions{})
				return !apierrors.IsAlreadyExists(err), nil
			})
			if err == nil {
				settle(t, name)
			}
			if err == nil && later {
				holdTo(t, name, enforced, level)
			}
			return namespace, err
		},
	})
}
