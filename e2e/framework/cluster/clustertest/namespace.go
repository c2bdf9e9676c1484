package clustertest

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Namespace creates a namespace for one test, as MakeNamespace does, and returns its name. Without a name in meta,
// the namespace is named after the test.
func Namespace(t testing.TB, clientset kubernetes.Interface, meta metav1.ObjectMeta, serviceAccounts ...string) string {
	t.Helper()
	if meta.Name == "" && meta.GenerateName == "" {
		meta.GenerateName = testName(t) + "-"
	}
	name, err := MakeNamespace(t.Context(), clientset, meta, serviceAccounts...)
	Must(t, err)
	return name
}

// testName returns the name of a test, as a part of names of namespaces and directories.
func testName(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '-'
		}
		return r
	}, strings.ToLower(t.Name()))
	return strings.Trim(name[:min(len(name), 50)], "-")
}

// MakeNamespace creates a namespace with the service account "default", without which no pod can be created there,
// and with others. It returns the namespace's name.
func MakeNamespace(ctx context.Context, clientset kubernetes.Interface, meta metav1.ObjectMeta,
	serviceAccounts ...string) (string, error) {
	namespace, err := clientset.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta},
		metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return namespace.Name, MakeServiceAccounts(ctx, clientset, namespace.Name, append(serviceAccounts, "default")...)
}

// MakeServiceAccounts creates the service accounts that do not exist. A controller creates "default" too, but only
// some time after the namespace.
func MakeServiceAccounts(ctx context.Context, clientset kubernetes.Interface, namespace string, names ...string) error {
	for _, name := range names {
		_, err := clientset.CoreV1().ServiceAccounts(namespace).Create(ctx,
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}
