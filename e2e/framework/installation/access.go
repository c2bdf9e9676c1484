package installation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// tokenLifetime outlasts a cluster that a person keeps for a day.
const tokenLifetime = 24 * time.Hour

// kubeconfig is the service account's.
func (i *Installation) kubeconfig(ctx context.Context) ([]byte, error) {
	token, err := i.client.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(int64(tokenLifetime.Seconds()))},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("request the token of %s: %w", User, err)
	}
	admin := i.cluster.RESTConfig()
	return clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{Name: {Server: admin.Host, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*api.AuthInfo{Name: {Token: token.Status.Token}},
		Contexts:       map[string]*api.Context{Name: {Cluster: Name, AuthInfo: Name}},
		CurrentContext: Name,
	})
}

// Route makes the API server call this server and no other, as it would once a service's endpoints have changed.
func (i *Installation) Route(ctx context.Context, server *Server) error {
	i.call(server)
	if i.cluster.Namespace() != "" {
		return clustertest.SetEndpoints(ctx, i.client, Namespace, Name, server.port(), i.cluster.Address().String())
	}
	pods, warnings, err := configurations()
	if err != nil {
		return err
	}
	var podPaths, warningPaths []string
	for _, webhook := range pods.Webhooks {
		podPaths = append(podPaths, *webhook.ClientConfig.Service.Path)
	}
	for _, webhook := range warnings.Webhooks {
		warningPaths = append(warningPaths, *webhook.ClientConfig.Service.Path)
	}
	api := i.client.AdmissionregistrationV1()
	patch, err := redirect(server, podPaths)
	if err != nil {
		return err
	}
	if _, err = api.MutatingWebhookConfigurations().Patch(ctx, Name, types.JSONPatchType, patch,
		metav1.PatchOptions{}); err != nil {
		return err
	}
	if patch, err = redirect(server, warningPaths); err != nil {
		return err
	}
	_, err = api.ValidatingWebhookConfigurations().Patch(ctx, Name, types.JSONPatchType, patch, metav1.PatchOptions{})
	return err
}

// redirect is a patch that makes the entries of a webhook configuration call a server. paths are those of the entries.
func redirect(server *Server, paths []string) ([]byte, error) {
	var changes []map[string]any
	for n, path := range paths {
		target := url.URL{Scheme: "https", Host: server.Webhook, Path: path}
		changes = append(changes, map[string]any{"op": "replace",
			"path": fmt.Sprintf("/webhooks/%d/clientConfig/url", n), "value": target.String()})
	}
	return json.Marshal(changes)
}

// configurations returns the webhook configurations that are shipped.
func configurations() (*admissionregistrationv1.MutatingWebhookConfiguration,
	*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	pods := &admissionregistrationv1.MutatingWebhookConfiguration{}
	warnings := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	err := errors.Join(templates.Decode(templates.Install, webhookFile, pods),
		templates.Decode(templates.Install, warningsFile, warnings))
	return pods, warnings, err
}

// Unregister deletes the webhook's configuration, so that API servers call no server. The function that it returns
// creates the configuration again.
func (i *Installation) Unregister(ctx context.Context) (register func(context.Context) error, err error) {
	configurations := i.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	former, err := configurations.Get(ctx, Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	register = func(ctx context.Context) error {
		again := &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: former.Name, Labels: former.Labels}, Webhooks: former.Webhooks,
		}
		_, err := configurations.Create(ctx, again, metav1.CreateOptions{})
		return err
	}
	return register, configurations.Delete(ctx, Name, metav1.DeleteOptions{})
}

// untilCalled waits until the API server calls the webhook. The API server learns of a configuration a moment after it
// is created.
func (i *Installation) untilCalled(ctx context.Context) error {
	labels := map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	namespace, err := clustertest.MakeNamespace(ctx, i.client,
		metav1.ObjectMeta{GenerateName: "probe-", Labels: labels})
	if err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probe",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, pace, startTimeout, true, func(ctx context.Context) (bool, error) {
		var created *corev1.Pod
		created, last = i.client.CoreV1().Pods(namespace).Create(ctx, pod,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return last == nil && len(created.Spec.InitContainers) == 1, nil
	})
	if err != nil {
		return fmt.Errorf("wait until the API server calls the webhook: %w; the server's log:\n%s",
			errors.Join(err, last), i.Log())
	}
	return i.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{})
}

// configure makes the API server call a server, by the configuration that is shipped.
func (i *Installation) configure(ctx context.Context, server *Server, ca []byte) error {
	target, err := clustertest.Expose(ctx, i.cluster, Namespace, Name, server.port(), admission.MutatePath)
	if err != nil {
		return err
	}
	target.CABundle = ca
	configuration, warnings, err := configurations()
	if err != nil {
		return err
	}
	for n := range configuration.Webhooks {
		service := configuration.Webhooks[n].ClientConfig.Service
		if target.Service != nil && (service.Namespace != Namespace || service.Name != Name) {
			return fmt.Errorf("the webhook configuration calls service %s/%s, and the server is behind %s/%s",
				service.Namespace, service.Name, Namespace, Name)
		}
		to := target.DeepCopy()
		if path := *service.Path; to.Service != nil {
			to.Service.Path = &path
		} else {
			to.URL = new(strings.Replace(*to.URL, admission.MutatePath, path, 1))
		}
		configuration.Webhooks[n].ClientConfig = *to
	}
	i.call(server)
	if _, err = i.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, configuration,
		metav1.CreateOptions{}); err != nil {
		return err
	}
	for n := range warnings.Webhooks {
		warnings.Webhooks[n].ClientConfig = forWorkloads(target)
	}
	_, err = i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, warnings,
		metav1.CreateOptions{})
	return err
}

// forWorkloads is where the same server looks at workloads.
func forWorkloads(target admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.WebhookClientConfig {
	target = *target.DeepCopy()
	if target.Service != nil {
		target.Service.Path = new(admission.WorkloadsPath)
	} else {
		target.URL = new(strings.Replace(*target.URL, admission.MutatePath, admission.WorkloadsPath, 1))
	}
	return target
}
