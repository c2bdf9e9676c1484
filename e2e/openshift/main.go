// Command openshift runs OpenShift's own admission by SecurityContextConstraints on the cluster of KUBECONFIG, which
// needs their CRD. In OpenShift it is a plugin of the API server, in front of the mutating webhooks, and runs once
// more where a webhook changes the pod. Here it is a mutating webhook whose configuration sorts before others and has
// reinvocationPolicy IfNeeded, and a validating one.
//
// It serves on the listener that it inherits as file descriptor 3, with the certificate in TLS_CERT and TLS_KEY.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/openshift/apiserver-library-go/pkg/securitycontextconstraints/sccadmission"
	securityclient "github.com/openshift/client-go/security/clientset/versioned"
	securityinformers "github.com/openshift/client-go/security/informers/externalversions"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // the plugin works on the API server's internal types
)

const (
	inherited = 3
	// headerTimeout is longer than any client here takes.
	headerTimeout = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "openshift:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	security, err := securityclient.NewForConfig(config)
	if err != nil {
		return err
	}
	plugin := sccadmission.NewConstraint()
	core := informers.NewSharedInformerFactory(client, 0)
	constraints := securityinformers.NewSharedInformerFactory(security, 0)
	plugin.SetExternalKubeInformerFactory(core)
	plugin.SetSecurityInformers(constraints.Security().V1().SecurityContextConstraints())
	plugin.SetAuthorizer(reviewer{client.AuthorizationV1().SubjectAccessReviews()})
	if err := plugin.ValidateInitialization(); err != nil {
		return err
	}
	core.Start(ctx.Done())
	constraints.Start(ctx.Done())

	mux := http.NewServeMux()
	mux.Handle("/mutate", handler(plugin.Admit))
	mux.Handle("/validate", handler(plugin.Validate))
	listener, err := net.FileListener(os.NewFile(inherited, "listener"))
	if err != nil {
		return fmt.Errorf("inherit the listener: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	go func() {
		<-ctx.Done()
		_ = server.Close() // it ends anyway
	}()
	if err := server.ServeTLS(listener, os.Getenv("TLS_CERT"), os.Getenv("TLS_KEY")); !errors.Is(err,
		http.ErrServerClosed) {
		return err
	}
	return nil
}
