package grants_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// server is a running `sysctl-injector serve`.
type server struct {
	webhook, observe string // the addresses it listens on

	cluster *cluster.Cluster
	command *exec.Cmd
	log     installation.Log
	exited  chan struct{} // closed once it has ended
}

// serverConfig says how a server is started. The zero value is what is shipped.
type serverConfig struct {
	account string   // its service account; empty: the one that is shipped
	proxy   string   // the address by which it reaches the API server; empty: the API server's own
	address string   // host:port of the webhook; empty: any port
	args    []string // further flags
	env     []string
}

// launch starts a server and returns when it listens. The test's end ends it.
func launch(t *testing.T, config serverConfig) *server {
	t.Helper()
	c := suite.Cluster(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"kubeconfig": kubeconfig(t, config), "tls.crt": serving.Cert, "tls.key": serving.Key} {
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
	// Not the test's context: it ends before the clean-up does.
	s := &server{cluster: c, command: c.Command(context.WithoutCancel(t.Context()), program, args...), exited: make(chan struct{})}
	file, err := c.CreateLog(installation.Name)
	must(t, err)
	s.command.Stderr = io.MultiWriter(&s.log, file)
	s.command.Env = append(s.command.Environ(), config.env...)
	must(t, s.command.Start())
	go func() {
		_ = s.command.Wait()
		_ = file.Close()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(s.log.String(), 20))
		}
	})
	eventually(t, "the server to listen", func(context.Context) (bool, error) {
		s.webhook, s.observe = s.log.Addresses()
		select {
		case <-s.exited:
			return false, fmt.Errorf("it ended:\n%s", s.log.String())
		default:
			return s.webhook != "", nil
		}
	})
	return s
}

// start starts a server and returns when it is ready.
func start(t *testing.T, config serverConfig) *server {
	t.Helper()
	s := launch(t, config)
	eventually(t, "the server to be ready", func(ctx context.Context) (bool, error) { return s.ready(ctx) == nil, nil })
	return s
}

// ready says why the server is not ready; nil when it is.
func (s *server) ready(ctx context.Context) error {
	return installation.Ready(ctx, s.cluster, s.observe)
}

// kill ends the server at once, if it runs.
func (s *server) kill() {
	_ = s.command.Process.Kill()
	<-s.exited
}

// terminate has the server end as a kubelet does.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	must(t, s.command.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("the server does not end")
	}
}

// awaitLog waits until the server has logged a line that holds each of the texts.
func (s *server) awaitLog(t *testing.T, texts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the server to log %q", texts), func(context.Context) (bool, error) {
	lines:
		for line := range strings.Lines(s.log.String()) {
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
	must(t, admin.SubResource("token").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: account}}, request))
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

// tail keeps the last lines of a text.
func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines-1):], "")
}
