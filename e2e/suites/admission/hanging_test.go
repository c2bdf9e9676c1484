package admission_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// hangOne adds a second server to the service, and suspends it, until the test ends. In a real cluster, the readiness
// probe takes such a server out of the service within seconds.
func hangOne(t *testing.T) {
	t.Helper()
	// The API server keeps its connections. After the restart it has to choose servers again.
	must(t, installed.Restart(t.Context()))
	server, err := installed.Start(t.Context())
	must(t, err)
	t.Cleanup(server.Kill)
	if serves(t, 34) {
		addEndpointSlice(t, portOf(t, server))
	} else {
		addSubset(t, portOf(t, server))
	}
	_, err = server.Pause()
	must(t, err)
}

// addEndpointSlice adds an endpoint to the service, with another port, until the test ends.
func addEndpointSlice(t *testing.T, port int32) {
	t.Helper()
	endpoints := client.DiscoveryV1().EndpointSlices(installation.Namespace)
	slice, err := endpoints.Get(t.Context(), installation.Name, metav1.GetOptions{})
	must(t, err)
	slice.ObjectMeta = metav1.ObjectMeta{Name: installation.Name + "-second", Labels: slice.Labels}
	slice.Ports[0].Port = &port
	_, err = endpoints.Create(t.Context(), slice, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := endpoints.Delete(context.Background(), slice.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// addSubset does the same where the API server reads Endpoints.
//
//nolint:staticcheck // deprecated since 1.33, and the only ones that API servers before 1.34 read
func addSubset(t *testing.T, port int32) {
	t.Helper()
	all := client.CoreV1().Endpoints(installation.Namespace)
	endpoints, err := all.Get(t.Context(), installation.Name, metav1.GetOptions{})
	must(t, err)
	former := endpoints.DeepCopy()
	former.ResourceVersion = ""
	endpoints.Subsets = append(endpoints.Subsets, corev1.EndpointSubset{Addresses: endpoints.Subsets[0].Addresses,
		Ports: []corev1.EndpointPort{{Name: endpoints.Subsets[0].Ports[0].Name, Port: port}}})
	_, err = all.Update(t.Context(), endpoints, metav1.UpdateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if _, err := all.Update(context.Background(), former, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	})
}
