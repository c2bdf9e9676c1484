package clustertest

import (
	"context"
	"fmt"
	"net"
	"net/url"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// Expose returns how the API server calls a webhook that listens on the cluster's address at the port given. It creates
// a service, as in a real installation. On the loopback, which cannot be an endpoint of a service, the webhook is
// called by URL.
func Expose(ctx context.Context, c *cluster.Cluster, namespace, name string, port int32,
	path string) (admissionregistrationv1.WebhookClientConfig, error) {
	if c.Namespace() == "" {
		webhook := url.URL{Scheme: "https", Host: net.JoinHostPort(c.Address().String(), fmt.Sprint(port)), Path: path}
		return admissionregistrationv1.WebhookClientConfig{URL: ptr.To(webhook.String())}, nil
	}
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return admissionregistrationv1.WebhookClientConfig{}, err
	}
	// Without a selector, as there is no pod: the endpoint is named below.
	_, err = client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return admissionregistrationv1.WebhookClientConfig{},
			fmt.Errorf("create service %s/%s: %w", namespace, name, err)
	}
	if err := SetEndpoints(ctx, client, namespace, name, port, c.Address().String()); err != nil {
		return admissionregistrationv1.WebhookClientConfig{}, err
	}
	return admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{Namespace: namespace, Name: name, Path: &path},
	}, nil
}
