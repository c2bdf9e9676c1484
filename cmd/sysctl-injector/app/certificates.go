package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/certs"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// Sources of the served certificate.
const (
	certificateFiles       = "files"
	selfManagedCertificate = "self-managed"
)

// certificateOptions select the served certificate.
type certificateOptions struct {
	source            string
	certFile, keyFile string
	// certificate names the cert-manager Certificate that issues the files; empty if there is none.
	certificate string
	// configuration names the MutatingWebhookConfiguration that receives the CA of self-managed certificates.
	configuration string
	// clientCAFile holds the CAs that sign client certificates; empty if clients need no certificate.
	clientCAFile string
}

func (o *certificateOptions) addFlags(cmd *cobra.Command) {
	addChoiceFlag(cmd, &o.source, "cert-source", "",
		"source of the served certificate: files, or a CA that the servers manage themselves",
		certificateFiles, certificateFiles, selfManagedCertificate)
	flags := cmd.Flags()
	flags.StringVar(&o.certFile, "tls-cert-file", "/etc/sysctl-injector/tls/tls.crt",
		"served certificate, in PEM; reloaded when it changes")
	flags.StringVar(&o.keyFile, "tls-private-key-file", "/etc/sysctl-injector/tls/tls.key",
		"private key of the served certificate, in PEM")
	flags.StringVar(&o.certificate, "certificate", "",
		"cert-manager Certificate in --namespace that issues the files; /readyz?verbose and /metrics show its state")
	flags.StringVar(&o.configuration, "webhook-configuration", inspect.DefaultConfiguration,
		"with --cert-source=self-managed: name of the MutatingWebhookConfiguration, and of the "+
			"ValidatingWebhookConfiguration if there is one, that the servers write their CA to")
	flags.StringVar(&o.clientCAFile, "client-ca-file", "",
		"CAs in PEM, reloaded when the file changes; clients need a certificate from one of them")
}

// validate rejects options that contradict each other.
func (o *certificateOptions) validate(namespace string, standalone bool) error {
	switch {
	case o.source == selfManagedCertificate && o.certificate != "":
		return usagef("--certificate is for --cert-source=%s: with %s there is no cert-manager Certificate",
			certificateFiles, selfManagedCertificate)
	case o.source != selfManagedCertificate && o.certificate == "":
		return nil
	case standalone:
		return usagef("--cert-source=%s and --certificate need a cluster: leave them out with --standalone",
			selfManagedCertificate)
	case namespace == "":
		return usagef("--cert-source=%s and --certificate need --namespace, the server's own", selfManagedCertificate)
	}
	return nil
}

type getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// tlsMaterial holds the certificate and the CAs of a TLS handshake.
type tlsMaterial struct {
	certificate getCertificate
	clientCAs   admission.ClientCAs // nil if clients need no certificate
}

// open returns the material for TLS handshakes and the components that keep it up to date. Without a cluster, config
// is nil.
func (o *certificateOptions) open(config *rest.Config, namespace string, registry *prometheus.Registry,
	log *slog.Logger) (tlsMaterial, []component, error) {
	certificate, components, err := o.openCertificate(config, namespace, registry, log)
	if err != nil || o.clientCAFile == "" {
		return tlsMaterial{certificate: certificate}, components, err
	}
	cas := certs.NewClientCAs(o.clientCAFile, log)
	components = append(components, component{name: "client-ca", start: cas.Start, ready: cas.Ready, state: cas.State})
	return tlsMaterial{certificate, cas.Pool}, components, nil
}

// openCertificate returns the served certificate and the components that keep it up to date. Without a cluster,
// config is nil.
func (o *certificateOptions) openCertificate(config *rest.Config, namespace string, registry *prometheus.Registry,
	log *slog.Logger) (getCertificate, []component, error) {
	const name = "certificate"
	if o.source == selfManagedCertificate {
		managed, err := certs.NewSelfManaged(config, namespace, o.configuration, log)
		if err != nil {
			return nil, nil, err
		}
		certs.RegisterExpiry(registry, managed.GetCertificate)
		return managed.GetCertificate, []component{{name: name, start: managed.Start, ready: managed.Ready,
			state: managed.State}}, nil
	}
	files, err := certs.NewFiles(o.certFile, o.keyFile, log)
	if err != nil {
		return nil, nil, usageError{err}
	}
	certs.RegisterExpiry(registry, files.GetCertificate)
	served := component{name: name, start: files.Start, ready: files.Ready, state: files.State}
	if o.certificate == "" {
		return files.GetCertificate, []component{served}, nil
	}
	issued, err := certs.NewCertificate(config, namespace, o.certificate, log)
	if err != nil {
		return nil, nil, err
	}
	issued.Register(registry)
	// The certificate's source knows best why there is no certificate.
	served.ready = func() error {
		err := files.Ready()
		if state, ok := issued.State(); err != nil && !ok {
			err = fmt.Errorf("%w; %s", err, state)
		}
		return err
	}
	issuer := component{name: o.certificate, start: issued.Start, state: issued.State}
	return files.GetCertificate, []component{served, issuer}, nil
}
