package grants_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// server is a running server of a test.
type server struct{ *installation.Server }

// serverConfig says how a server is started. The zero value is what is shipped.
type serverConfig struct {
	account string   // its service account; empty: the shipped one
	proxy   string   // the address by which it reaches the API server; empty: the API server's own
	address string   // host:port of the webhook; empty: any port
	args    []string // further flags
	env     []string
}

// launch starts a server, and returns when it listens. It is killed when the test ends.
func launch(t *testing.T, config serverConfig) *server {
	t.Helper()
	c := suite.Cluster(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"kubeconfig": kubeconfig(t, config), "tls.crt": serving.Cert,
		"tls.key": serving.Key} {
		must(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	if config.address == "" {
		config.address = net.JoinHostPort(c.Address().String(), "0")
	}
	args := append([]string{
		"serve", "--kubeconfig=" + filepath.Join(dir, "kubeconfig"),
		"--tls-cert-file=" + filepath.Join(dir, "tls.crt"), "--tls-private-key-file=" + filepath.Join(dir, "tls.key"),
		"--bind-address=" + config.address, "--observe-bind-address=" + net.JoinHostPort(c.Address().String(), "0"),
		"--shutdown-delay=0s",
	}, config.args...)
	launched, err := installation.Launch(t.Context(), installation.ServerConfig{Cluster: c, Program: program,
		Args: args, Env: config.env})
	must(t, err)
	t.Cleanup(func() {
		launched.Kill()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", installation.Tail(launched.Log(), 20))
		}
	})
	return &server{launched}
}

// start starts a server and returns when it is ready.
func start(t *testing.T, config serverConfig) *server {
	t.Helper()
	s := launch(t, config)
	must(t, s.UntilReady(t.Context()))
	return s
}

// terminate stops the server as a kubelet does.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	must(t, s.Terminate())
	must(t, s.Wait(patience))
}

// awaitLog waits until the server has logged a line that holds each of the texts.
func (s *server) awaitLog(t *testing.T, texts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the server to log %q", texts), func(context.Context) (bool, error) {
	lines:
		for line := range strings.Lines(s.Log()) {
			for _, text := range texts {
				if !strings.Contains(line, text) {
					continue lines
				}
			}
			return true, nil
		}
		return false, nil
	})
}

// restConfig is a service account's.
func restConfig(t *testing.T, account string) *rest.Config {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	must(t, admin.SubResource("token").Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
			Name: account}}, request))
	config := rest.AnonymousClientConfig(suite.Cluster(t).RESTConfig())
	config.BearerToken = request.Status.Token
	config.Dial, config.Proxy, config.QPS = suite.Cluster(t).RESTConfig().Dial, suite.Cluster(t).RESTConfig().Proxy, -1
	return config
}

func kubeconfig(t *testing.T, config serverConfig) []byte {
	t.Helper()
	if config.account == "" {
		config.account = installation.Name
	}
	account := restConfig(t, config.account)
	if config.proxy != "" {
		account.Host = "https://" + config.proxy
	}
	const name = "server"
	encoded, err := clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: account.Host, CertificateAuthorityData: account.CAData}},
		AuthInfos:      map[string]*api.AuthInfo{name: {Token: account.BearerToken}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	must(t, err)
	return encoded
}
