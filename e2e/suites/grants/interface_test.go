package grants_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The name of an interface with a dot is granted with a slash for the dot, which the name of the ClusterRole cannot
// have.
func TestInterfaceWithADot(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t, "web")
	pod := create(t, newPod(namespace, "web", "net/ipv4/conf/eth0.100/rp_filter = 2"))
	if diff := cmp.Diff([]string{"net.ipv4.conf.eth0/100.rp_filter=2"}, pod.Spec.InitContainers[0].Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if !mayUse(t, namespace, "web", "net.ipv4.conf.eth0/100.rp_filter") ||
		mayUse(t, namespace, "web", "net.ipv4.conf.eth0.100.rp_filter") {
		t.Error("the sysctl that the pod's argument names is not granted, or another one is")
	}
	for _, object := range []client.Object{role("net.ipv4.conf.eth0:100.rp_filter"),
		binding(namespace, "web", "net.ipv4.conf.eth0:100.rp_filter")} {
		must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	}
}
