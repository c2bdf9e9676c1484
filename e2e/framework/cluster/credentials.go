package cluster

import (
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Files in a cluster's pki directory.
const (
	caCert                      = "ca.crt"
	servingCert                 = "serving.crt"
	servingKey                  = "serving.key"
	serviceAccountKey           = "service-account.key"
	serviceAccountPublic        = "service-account.pub"
	controllerManagerKubeconfig = "controller-manager.kubeconfig"
	schedulerKubeconfig         = "scheduler.kubeconfig"
	auditPolicyFile             = "audit-policy.yaml"
)

var apiServerNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}

//go:embed audit-policy.yaml
var auditPolicy []byte

// writeCredentials makes the cluster's keys, certificates and kubeconfigs, and its configuration for client-go.
func (c *Cluster) writeCredentials(f files) error {
	ca, err := newAuthority()
	if err != nil {
		return fmt.Errorf("make the certificate authority: %w", err)
	}
	c.authority = ca
	serving, err := ca.issue(serverTemplate(apiServerNames, c.Address(), net.IPv4(127, 0, 0, 1),
		net.ParseIP(serviceAddress)))
	if err != nil {
		return fmt.Errorf("issue the serving certificate: %w", err)
	}
	tokens, err := newSigningKey()
	if err != nil {
		return fmt.Errorf("make the service account key: %w", err)
	}
	for name, content := range map[string][]byte{
		caCert:               ca.certPEM,
		servingCert:          serving.cert,
		servingKey:           serving.key,
		serviceAccountKey:    tokens.private,
		serviceAccountPublic: tokens.public,
		auditPolicyFile:      auditPolicy,
	} {
		if err := os.WriteFile(filepath.Join(f.pki, name), content, 0o600); err != nil {
			return err
		}
	}
	address := "https://" + hostPort(c.Address().String(), c.ports.apiServer)
	for _, user := range []struct {
		path, name string
		groups     []string
	}{
		{c.Kubeconfig(), "admin", []string{"system:masters"}},
		{filepath.Join(f.pki, controllerManagerKubeconfig), "system:kube-controller-manager", nil},
		{filepath.Join(f.pki, schedulerKubeconfig), "system:kube-scheduler", nil},
	} {
		pair, err := ca.issue(clientTemplate(user.name, user.groups...))
		if err != nil {
			return fmt.Errorf("issue the certificate of %s: %w", user.name, err)
		}
		if err := clientcmd.WriteToFile(kubeconfig(address, user.name, ca, pair), user.path); err != nil {
			return fmt.Errorf("write the kubeconfig of %s: %w", user.name, err)
		}
	}
	return c.configureClient()
}

func kubeconfig(address, user string, ca *authority, pair keyPair) api.Config {
	const cluster = "sysctl-injector"
	return api.Config{
		Clusters:       map[string]*api.Cluster{cluster: {Server: address, CertificateAuthorityData: ca.certPEM}},
		AuthInfos:      map[string]*api.AuthInfo{user: {ClientCertificateData: pair.cert, ClientKeyData: pair.key}},
		Contexts:       map[string]*api.Context{cluster: {Cluster: cluster, AuthInfo: user}},
		CurrentContext: cluster,
	}
}

func (c *Cluster) configureClient() error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.Dial = c.Dial
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // also if the environment sets a proxy
	// A test waits for the server, never for its own client's rate limit.
	config.QPS = -1
	c.config = config
	c.admin, err = rest.HTTPClientFor(config)
	return err
}

// ServingCertificate is what a server in the cluster's network needs, and what its callers need to trust it. All in
// PEM.
type ServingCertificate struct{ Cert, Key, CA []byte }

// ServingCertificate issues a certificate for the DNS names given and the cluster's address: for a webhook behind a
// service "NAME.NAMESPACE.svc".
func (c *Cluster) ServingCertificate(names ...string) (ServingCertificate, error) {
	pair, err := c.authority.issue(serverTemplate(names, c.Address()))
	if err != nil {
		return ServingCertificate{}, fmt.Errorf("issue a serving certificate for %v: %w", names, err)
	}
	return ServingCertificate{Cert: pair.cert, Key: pair.key, CA: c.authority.certPEM}, nil
}
