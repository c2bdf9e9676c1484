package certs_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/templates"
)

const (
	selfManaged = "--cert-source=self-managed"
	serverName  = installation.Name + "." + installation.Namespace + ".svc"
)

// Two servers make their certificate, and the API server calls both. It is renewed in every way while pods are
// created: none is rejected.
func TestServersManageTheirCertificate(t *testing.T) {
	c := suite.Cluster(t)
	if c.Namespace() == "" {
		t.Skip("SKIPPED, self-managed certificates were not tested: the API server verifies the name of a service, " +
			"and on the loopback there is none")
	}
	// Nothing is there: no Secret, and a webhook configuration as it is shipped.
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	must(t, templates.Decode(templates.Install, "install/webhook.yaml", configuration))
	must(t, admin.Delete(t.Context(), configuration.DeepCopy()))
	must(t, admin.Create(t.Context(), configuration))
	servers := []*installation.Server{startServer(t, selfManaged), startServer(t, selfManaged)}
	expose(t, servers)

	first := secret(t)
	if keys := []int{len(first.Data["ca.crt"]), len(first.Data["ca.key"]), len(first.Data["tls.crt"]),
		len(first.Data["tls.key"])}; first.Type != corev1.SecretTypeTLS || slices.Contains(keys, 0) {
		t.Errorf("the Secret is of type %s, its sizes %v", first.Type, keys)
	}
	awaitServed(t, servers, first)
	if got := trusted(t); !bytes.Equal(got, first.Data["ca.crt"]) {
		t.Errorf("the API server trusts\n%s\nwant\n%s", got, first.Data["ca.crt"])
	}
	if _, ok := leaf(t, first).PublicKey.(*ecdsa.PublicKey); !ok {
		t.Errorf("the key is a %T", leaf(t, first).PublicKey)
	}

	flow := startFlow(t, servers)
	flow.runs("with the first certificate")

	// The certificate is lost, and its CA is not.
	spoilt := first.DeepCopy()
	spoilt.Data["tls.crt"] = []byte("spoilt")
	must(t, admin.Update(t.Context(), spoilt))
	second := awaitSecret(t, "the next certificate",
		func(s *corev1.Secret) bool { return !bytes.Equal(s.Data["tls.crt"], []byte("spoilt")) })
	if !bytes.Equal(second.Data["ca.key"], first.Data["ca.key"]) {
		t.Error("a new CA was made without need")
	}
	awaitServed(t, servers, second)
	flow.runs("with the second certificate")

	// Everything is lost, and for some time the servers may not publish the next CA.
	publish := func(verbs string) {
		t.Helper()
		kubectl(t, "", "patch", "clusterrole", "sysctl-injector-certificate", "--type=json",
			`--patch=[{"op": "replace", "path": "/rules/0/verbs", "value": [`+verbs+`]}]`)
		clustertest.AwaitCanI(t, c, strings.Contains(verbs, "patch"), installation.Namespace, installation.User, "patch",
			"mutatingwebhookconfigurations.admissionregistration.k8s.io/"+installation.Name)
	}
	publish(`"list", "watch"`)
	must(t, admin.Delete(t.Context(), second))
	third := awaitSecret(t, "the next CA", func(s *corev1.Secret) bool { return s.UID != second.UID })
	const cause = `patch MutatingWebhookConfiguration sysctl-injector: ` +
		`mutatingwebhookconfigurations.admissionregistration.k8s.io \"sysctl-injector\" is forbidden`
	for _, server := range servers {
		eventually(t, "the server to say what it lacks", server.Log, func(context.Context) (bool,
			error) {
			return len(lines(server.Log(), cause)) > 0, nil
		})
	}
	flow.runs("before the next CA is trusted")
	awaitServed(t, servers, second)
	publish(`"list", "watch", "patch"`)
	awaitServed(t, servers, third)
	if got := len(authorities(t)); got != 2 {
		t.Errorf("the API server trusts %d CAs, want the new one and the one before", got)
	}
	flow.runs("with the next CA")
	flow.stop()

	// Somebody applies the webhook configuration as it is shipped.
	var removals []string
	for n := range configuration.Webhooks {
		removals = append(removals, fmt.Sprintf(`{"op": "remove", "path": "/webhooks/%d/clientConfig/caBundle"}`, n))
	}
	fresh := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: installation.Name}}
	must(t, admin.Patch(t.Context(), fresh,
		client.RawPatch("application/json-patch+json", []byte("["+strings.Join(removals, ", ")+"]"))))
	eventually(t, "the caBundle to be there again", func() string { return string(trusted(t)) },
		func(context.Context) (bool, error) {
			return bytes.Equal(trusted(t), third.Data["ca.crt"]), nil
		})
	for _, server := range servers {
		if diff := cmp.Diff([]string(nil), lines(server.Log(), `"level":"ERROR"`)); diff != "" {
			t.Errorf("errors in the log:\n%s", diff)
		}
		want := "sysctl_injector_certificate_expiry_timestamp_seconds " +
			strconv.FormatFloat(float64(leaf(t, third).NotAfter.Unix()), 'g', -1, 64)
		if metrics := observe(t, server, "/metrics"); !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics lack %q: %v", want, lines(metrics, "certificate"))
		}
	}
}

// A server that may not write its Secret reports it and keeps its certificate. It recovers when it gets the right.
func TestServerWithoutTheRightToWriteItsSecret(t *testing.T) {
	suite.Cluster(t)
	server := startServer(t, selfManaged)
	lost := secret(t)
	defer kubectl(t, string(selfManagedRBAC), "apply", "-f", "-")
	kubectl(t, "", "patch", "role", "sysctl-injector-certificate",
		"--namespace="+installation.Namespace, "--type=merge",
		`--patch={"rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sysctl-injector-tls"], `+
			`"verbs": ["list", "watch"]}]}`)
	clustertest.AwaitCanI(t, suite.Cluster(t), false, installation.Namespace, installation.User, "create", "secrets")
	must(t, admin.Delete(t.Context(), lost))
	want := `[!]certificate renewal: create Secret sysctl-injector-system/sysctl-injector-tls: secrets is ` +
		`forbidden: User "` + installation.User +
		`" cannot create resource "secrets" in API group "" in the namespace "sysctl-injector-system"; an earlier ` +
		`certificate is served until ` +
		leaf(t, lost).NotAfter.Format(time.RFC3339) + "\n"
	state := func() string { return "it answers:\n" + observe(t, server, "/readyz?verbose") }
	eventually(t, want, state, func(context.Context) (bool, error) { return strings.Contains(state(), want), nil })
	must(t, server.Ready(t.Context()))
	kubectl(t, string(selfManagedRBAC), "apply", "-f", "-")
	awaitServed(t, []*installation.Server{server}, secret(t))
	if text := state(); strings.Contains(text, "[!]") {
		t.Error(text)
	}
}

// expose makes the API server call these servers and no others.
func expose(t *testing.T, servers []*installation.Server) {
	t.Helper()
	must(t, installed.Route(t.Context(), servers[0]))
	for n, server := range servers[1:] {
		slice := &discoveryv1.EndpointSlice{}
		must(t,
			admin.Get(t.Context(), client.ObjectKey{Namespace: installation.Namespace, Name: installation.Name}, slice))
		_, port, err := net.SplitHostPort(server.Webhook)
		must(t, err)
		number, err := strconv.ParseInt(port, 10, 32)
		must(t, err)
		slice.ObjectMeta = metav1.ObjectMeta{Namespace: slice.Namespace, Name: fmt.Sprintf("%s-%d", slice.Name, n),
			Labels: slice.Labels}
		slice.Ports[0].Port = new(int32(number))
		must(t, admin.Create(t.Context(), slice))
		t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), slice)) })
	}
}

func secret(t *testing.T) *corev1.Secret {
	t.Helper()
	return awaitSecret(t, "the Secret", func(*corev1.Secret) bool { return true })
}

func awaitSecret(t *testing.T, what string, wanted func(*corev1.Secret) bool) *corev1.Secret {
	t.Helper()
	found := &corev1.Secret{}
	eventually(t, what, installed.Log, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKey{Namespace: installation.Namespace, Name: "sysctl-injector-tls"}, found)
		return err == nil && wanted(found), client.IgnoreNotFound(err)
	})
	return found
}

func leaf(t *testing.T, of *corev1.Secret) *x509.Certificate {
	t.Helper()
	certificates, err := certutil.ParseCertsPEM(of.Data["tls.crt"])
	must(t, err)
	return certificates[0]
}

// bundle returns the caBundle in force. It is nil if there is none or if the entries differ.
func bundle(ctx context.Context) ([]byte, error) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := admin.Get(ctx, client.ObjectKey{Name: installation.Name}, configuration)
	if err != nil || len(configuration.Webhooks) == 0 {
		return nil, err
	}
	found := configuration.Webhooks[0].ClientConfig.CABundle
	for _, webhook := range configuration.Webhooks {
		if !bytes.Equal(webhook.ClientConfig.CABundle, found) {
			return nil, nil
		}
	}
	return found, nil
}

func trusted(t *testing.T) []byte {
	t.Helper()
	found, err := bundle(t.Context())
	must(t, err)
	return found
}

func authorities(t *testing.T) []*x509.Certificate {
	t.Helper()
	found, err := certutil.ParseCertsPEM(trusted(t))
	must(t, err)
	return found
}

// shakeHands connects to a server as the API server does, by the caBundle in force, and returns the certificate that
// it shows.
func shakeHands(ctx context.Context, c *cluster.Cluster, server *installation.Server) (*x509.Certificate, error) {
	trusted, err := bundle(ctx)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	raw, err := c.Dial(ctx, "tcp", server.Webhook)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	connection := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12})
	if err := connection.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return connection.ConnectionState().PeerCertificates[0], nil
}

// awaitServed waits until every server serves the certificate of a Secret.
func awaitServed(t *testing.T, servers []*installation.Server, of *corev1.Secret) {
	t.Helper()
	for _, server := range servers {
		eventually(t, "a server to serve the Secret's certificate", server.Log,
			func(ctx context.Context) (bool, error) {
				shown, err := shakeHands(ctx, suite.Cluster(t), server)
				return err == nil && shown.Equal(leaf(t, of)), err
			})
	}
}
