package installation

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// InstallChart installs the chart with helm and starts a server under its service account, with the flags of its
// Deployment. It returns when the API server calls the server. No pod of that Deployment may run. The chart's
// certificate is that of a Secret "tls", which need not exist, and ca is the bundle of the webhook.
func InstallChart(ctx context.Context, c *cluster.Cluster, chart, values string, ca []byte) (*Installation, error) {
	helm, err := tools.Ensure(ctx, "helm", os.Stderr)
	if err != nil {
		return nil, err
	}
	install := c.Command(ctx, helm.Path("helm"), "install", Name, chart, "--namespace", Namespace, "--create-namespace",
		"-f", "-")
	install.Stdin = strings.NewReader(fmt.Sprintf(
		"%s\ncertificates: {source: existing-secret, existingSecret: tls, caBundle: %s}\n", values,
		base64.StdEncoding.EncodeToString(ca)))
	if output, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("helm install: %w\n%s", err, output)
	}
	dir, err := c.MkdirTemp("installation")
	if err != nil {
		return nil, err
	}
	i := &Installation{cluster: c, dir: dir, Program: filepath.Join(dir, Name)}
	if err := i.join(ctx); err != nil {
		return nil, errors.Join(err, i.Remove())
	}
	return i, nil
}

func (i *Installation) join(ctx context.Context) (err error) {
	if i.client, err = kubernetes.NewForConfig(i.cluster.RESTConfig()); err != nil {
		return err
	}
	if err := Build(ctx, i.Program); err != nil {
		return err
	}
	certificate, err := i.cluster.ServingCertificate(Name + "." + Namespace + ".svc")
	if err != nil {
		return err
	}
	deployment, err := i.client.AppsV1().Deployments(Namespace).Get(ctx, Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	// The flags for addresses and for the certificate hold only in a pod.
	args := slices.DeleteFunc(deployment.Spec.Template.Spec.Containers[0].Args, func(arg string) bool {
		flag, _, _ := strings.Cut(arg, "=")
		return slices.Contains([]string{"serve", "--namespace", "--cert-source", "--bind-address",
			"--observe-bind-address", "--shutdown-delay"}, flag)
	})
	if err := i.prepare(ctx, Config{Args: args}, certificate); err != nil {
		return err
	}
	server, err := i.Start(ctx)
	if err != nil {
		return err
	}
	// Without a selector, the service keeps the endpoint that Route writes.
	_, err = i.client.CoreV1().Services(Namespace).Patch(ctx, Name, types.MergePatchType,
		[]byte(`{"spec":{"selector":null}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if err := i.Route(ctx, server); err != nil {
		return err
	}
	return i.untilCalled(ctx)
}
