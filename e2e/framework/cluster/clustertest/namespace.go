package clustertest

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
)

// GenerateName begins the names of a test's namespaces with the test's own.
func GenerateName(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '-'
		}
		return r
	}, strings.ToLower(t.Name()))
	return strings.Trim(name[:min(len(name), 50)], "-") + "-"
}

// MakeNamespace makes a namespace in which pods can be made, and returns its name.
func MakeNamespace(ctx context.Context, clientset kubernetes.Interface, meta metav1.ObjectMeta,
	patience time.Duration) (string, error) {
	namespace, err := clientset.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta},
		metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return namespace.Name, AwaitServiceAccount(ctx, clientset, namespace.Name, patience)
}

// AwaitServiceAccount waits for the default service account, without which no pod can be made in a namespace. The
// controller that makes it is in no hurry.
func AwaitServiceAccount(ctx context.Context, clientset kubernetes.Interface, namespace string,
	patience time.Duration) error {
	return await.Condition(ctx, "the default service account of namespace "+namespace, 20*time.Millisecond, patience,
		func(ctx context.Context) (bool, error) {
			_, err := clientset.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
			return err == nil, client.IgnoreNotFound(err)
		})
}
