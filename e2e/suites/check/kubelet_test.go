package check_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

const nodeName = "node-1"

// fakeKubelet serves /configz for the node. e2e/suites/node tests a real kubelet.
type fakeKubelet struct {
	server  *http.Server
	allowed atomic.Pointer[[]string]
}

func (k *fakeKubelet) close() { _ = k.server.Close() }

func (k *fakeKubelet) allow(sysctls ...string) { k.allowed.Store(&sysctls) }

// startKubelet creates the node. Its kubelet allows kernel.msg*.
func startKubelet(ctx context.Context, c *cluster.Cluster) (*fakeKubelet, error) {
	k := &fakeKubelet{}
	k.allow("kernel.msg*")
	certificate, err := c.ServingCertificate(nodeName)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate.Cert, certificate.Key)
	if err != nil {
		return nil, err
	}
	listener, err := c.Listen("tcp", net.JoinHostPort(c.Address().String(), "0"))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/configz", func(w http.ResponseWriter, _ *http.Request) {
		config := map[string]any{"allowedUnsafeSysctls": *k.allowed.Load()}
		_ = json.NewEncoder(w).Encode(map[string]any{"kubeletconfig": config})
	})
	k.server = &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair},
			MinVersion: tls.VersionTLS12}, ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = k.server.ServeTLS(listener, "", "") }()

	created, err := client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return nil, err
	}
	created.Status = nodeStatus(version.GitVersion)
	created.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: c.Address().String()}}
	created.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(listener.Addr().(*net.TCPAddr).Port)
	created.ResourceVersion = "" // a controller may have tainted the node since
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, created, metav1.UpdateOptions{})
	return k, err
}

func nodeStatus(kubelet string) corev1.NodeStatus {
	return corev1.NodeStatus{
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: "linux", KernelVersion: "6.12.48+deb13-cloud-amd64",
			ContainerRuntimeVersion: "containerd://2.1.4", KubeletVersion: kubelet,
		},
		RuntimeHandlers: []corev1.NodeRuntimeHandler{
			{Name: "", Features: &corev1.NodeRuntimeHandlerFeatures{UserNamespaces: new(true)}},
			{Name: "kata"},
		},
	}
}
