package admission_test

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// hangOne adds a second server to the service, and suspends it, until the test ends. In a real cluster, the readiness
// probe takes such a server out of the service within seconds.
func hangOne(t *testing.T) {
	t.Helper()
	if !serves(t, 34) {
		t.Skip("NOT RUN: the API server finds servers by Endpoints, which it writes as one subset for one address, and " +
			"then calls the first port only")
	}
	// The API server keeps its connections. After the restart it has to choose servers again.
	must(t, installed.Restart(t.Context()))
	server, err := installed.Start(t.Context())
	must(t, err)
	t.Cleanup(server.Kill)
	addEndpointSlice(t, portOf(t, server))
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
