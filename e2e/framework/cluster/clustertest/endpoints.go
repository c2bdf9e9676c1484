package clustertest

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"
)

// slicesSince is the version since which the API server looks for the endpoints of a webhook's service in
// EndpointSlices.
var slicesSince = version.MajorMinor(1, 34)

// SetEndpoints leaves a service without a selector with these addresses, or with none.
func SetEndpoints(ctx context.Context, client kubernetes.Interface, namespace, name string, port int32,
	addresses ...string) error {
	server, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	if version.MustParseGeneric(server.GitVersion).LessThan(slicesSince) {
		if err := setOldEndpoints(ctx, client, namespace, name, port, addresses); err != nil {
			return fmt.Errorf("write endpoints %s/%s: %w", namespace, name, err)
		}
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{},
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: &port}},
	}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	slices := client.DiscoveryV1().EndpointSlices(namespace)
	if _, err = slices.Update(ctx, slice, metav1.UpdateOptions{}); apierrors.IsNotFound(err) {
		_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("write endpoint slice %s/%s: %w", namespace, name, err)
	}
	return nil
}

//nolint:staticcheck // deprecated since 1.33, and the only ones that API servers before 1.34 read
func setOldEndpoints(ctx context.Context, client kubernetes.Interface, namespace, name string, port int32,
	addresses []string) error {
	// The label keeps a controller from making an EndpointSlice of it.
	endpoints := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: name,
		Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"}}}
	if len(addresses) > 0 {
		endpoints.Subsets = []corev1.EndpointSubset{{Ports: []corev1.EndpointPort{{Name: "https", Port: port}}}}
	}
	for _, address := range addresses {
		endpoints.Subsets[0].Addresses = append(endpoints.Subsets[0].Addresses, corev1.EndpointAddress{IP: address})
	}
	all := client.CoreV1().Endpoints(namespace)
	_, err := all.Update(ctx, endpoints, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = all.Create(ctx, endpoints, metav1.CreateOptions{})
	}
	return err
}
