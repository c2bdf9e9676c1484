package scc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// openShift is OpenShift's admission by SecurityContextConstraints, in a process of its own that the API server calls
// as a webhook.
type openShift struct{ running *exec.Cmd }

const (
	// openShiftName is the name of the webhook configurations. It sorts before sysctl-injector's: OpenShift's plugin
	// runs first too.
	openShiftName = "openshift"
	// openShiftLabel is the label of the namespaces in which it decides.
	openShiftLabel = "e2e/openshift"
	// crd is the CustomResourceDefinition in OpenShift's module.
	crd = "security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml"
)

// start installs OpenShift's CRD and constraints, and its admission.
func (o *openShift) start(ctx context.Context, c *cluster.Cluster) error {
	built, err := tools.Ensure(ctx, "openshift", os.Stderr)
	if err != nil {
		return err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openshift/api")
	list.Dir, list.Stderr = built.Module, os.Stderr
	module, err := list.Output()
	if err != nil {
		return fmt.Errorf("find OpenShift's module: %w", err)
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(strings.TrimSpace(string(module)), crd)},
		{"wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=30s"},
		{"apply", "--server-side", "-f", "testdata"},
	} {
		if _, err := c.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	certificate, err := c.ServingCertificate(openShiftName + ".default.svc")
	if err != nil {
		return err
	}
	port, err := o.run(ctx, c, built.Path("openshift"), certificate)
	if err != nil {
		return err
	}
	return o.configure(ctx, c, port, certificate.CA)
}

// run starts the program, and returns its port.
func (o *openShift) run(ctx context.Context, c *cluster.Cluster, program string,
	certificate cluster.ServingCertificate) (port int, err error) {
	dir, err := c.MkdirTemp("openshift")
	if err != nil {
		return 0, err
	}
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if err := errors.Join(os.WriteFile(cert, certificate.Cert, 0o600),
		os.WriteFile(key, certificate.Key, 0o600)); err != nil {
		return 0, err
	}
	listener, err := c.Listen("tcp", net.JoinHostPort(c.Address().String(), "0"))
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer file.Close()
	log, err := c.CreateLog("openshift")
	if err != nil {
		return 0, err
	}
	defer log.Close()
	// Not with ctx, which ends before the suite does.
	cmd := c.Command(context.WithoutCancel(ctx), program)
	cmd.Env = append(cmd.Environ(), "TLS_CERT="+cert, "TLS_KEY="+key)
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{file}, log, log
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	o.running = cmd
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// configure makes the API server call it. Where OpenShift runs its plugin once more after a webhook has changed the
// pod, the API server calls the webhook once more.
func (o *openShift) configure(ctx context.Context, c *cluster.Cluster, port int, ca []byte) error {
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	target, err := clustertest.Expose(ctx, c, metav1.NamespaceDefault, openShiftName, int32(port), "/mutate")
	if err != nil {
		return err
	}
	target.CABundle = ca
	validating := *target.DeepCopy()
	if target.Service != nil {
		validating.Service.Path = new("/validate")
	} else {
		validating.URL = new(strings.Replace(*target.URL, "/mutate", "/validate", 1))
	}
	const name = "constraints.openshift.test"
	rules := []admissionregistrationv1.RuleWithOperations{{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create,
			admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
			Resources: []string{"pods"}},
	}}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{openShiftLabel: "true"}}
	_, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx,
		&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: openShiftName},
			Webhooks: []admissionregistrationv1.MutatingWebhook{{
				Name: name, ClientConfig: target, Rules: rules, NamespaceSelector: selector,
				AdmissionReviewVersions: []string{"v1"},
				SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
				ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
			}},
		}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx,
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: openShiftName},
			Webhooks: []admissionregistrationv1.ValidatingWebhook{{
				Name: name, ClientConfig: validating, Rules: rules, NamespaceSelector: selector,
				AdmissionReviewVersions: []string{"v1"},
				SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			}},
		}, metav1.CreateOptions{})
	return err
}

// untilCalled waits until the API server asks it about a pod.
func (o *openShift) untilCalled(ctx context.Context, c *cluster.Cluster) error {
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	namespace, err := clustertest.MakeNamespace(ctx, client, ofOpenShift("probe"))
	if err != nil {
		return err
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}}}
	return await.Answer(ctx, "OpenShift's admission to decide on a pod", 50*time.Millisecond, patience,
		func(ctx context.Context) (string, bool) {
			created, err := client.CoreV1().Pods(namespace).Create(ctx, pod,
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return fmt.Sprint(err), err == nil && created.Annotations[usedConstraints] != ""
		})
}

func (o *openShift) stop() error {
	if o.running == nil {
		return nil
	}
	err := o.running.Process.Kill()
	_ = o.running.Wait() // it was killed
	return err
}
