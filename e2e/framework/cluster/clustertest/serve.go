package clustertest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// Serve serves a webhook in this process until stop is called, exposed as Expose says, and with a certificate for its
// name.
func Serve(ctx context.Context, c *cluster.Cluster, namespace, name, path string,
	handler http.Handler) (target admissionregistrationv1.WebhookClientConfig, stop func(), err error) {
	certificate, err := c.ServingCertificate(name + "." + namespace + ".svc")
	if err != nil {
		return target, nil, err
	}
	pair, err := tls.X509KeyPair(certificate.Cert, certificate.Key)
	if err != nil {
		return target, nil, err
	}
	listener, err := c.Listen("tcp", net.JoinHostPort(c.Address().String(), "0"))
	if err != nil {
		return target, nil, err
	}
	target, err = Expose(ctx, c, namespace, name, int32(listener.Addr().(*net.TCPAddr).Port), path)
	if err != nil {
		return target, nil, errors.Join(err, listener.Close())
	}
	target.CABundle = certificate.CA
	server := &http.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair},
		MinVersion: tls.VersionTLS13}}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return target, func() { _ = server.Close() }, nil
}
