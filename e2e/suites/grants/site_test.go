package grants_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	webhookFile = "install/webhook.yaml"
	// siteLabel is the label of a namespace that names the test whose server decides on its pods.
	siteLabel = "example.com/site"
	// denied begins the API server's message about a rejected pod.
	denied = `admission webhook "pods.sysctl-injector.dev" denied the request: `
)

// ours are the labels of what the server writes.
var ours = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}

// site is a server, and the namespaces whose pods it decides on.
type site struct {
	*server
	config     serverConfig
	name       string
	namespaces []string
}

// newSite starts a server, and returns when the API server calls it.
func newSite(t *testing.T, config serverConfig) *site {
	t.Helper()
	suite.Cluster(t)
	s := &site{config: config, name: strings.ToLower(t.Name())}
	// Registered before the server's own cleanup, so that it runs after the server has ended: nothing restores the
	// objects that are removed here.
	t.Cleanup(func() { s.clean(t) })
	s.server = start(t, config)
	s.config.address = s.Webhook

	// After this, the server writes nothing until a pod is created.
	awaitObject(t, "the policy to be read", &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		func(p *v1alpha1.SysctlPolicy) bool {
			return meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady)
		})

	hook := &admissionregistrationv1.MutatingWebhookConfiguration{}
	must(t, templates.Decode(templates.Install, webhookFile, hook))
	hook.Name = s.name
	url := "https://" + s.Webhook + admission.MutatePath
	for n := range hook.Webhooks {
		hook.Webhooks[n].ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: serving.CA}
		selector := hook.Webhooks[n].NamespaceSelector
		selector.MatchExpressions = append(selector.MatchExpressions,
			metav1.LabelSelectorRequirement{Key: siteLabel, Operator: metav1.LabelSelectorOpIn,
				Values: []string{s.name}})
	}
	must(t, admin.Create(t.Context(), hook))
	t.Cleanup(func() { _ = admin.Delete(context.WithoutCancel(t.Context()), hook) })

	probe := s.namespace(t)
	eventually(t, "the API server to call the server", func(ctx context.Context) (bool, error) {
		pod := newPod(probe, "default", "net.core.somaxconn")
		err := admin.Create(ctx, pod, client.DryRunAll)
		return err == nil && len(pod.Spec.InitContainers) == 1, nil
	})
	return s
}

// restart starts a server where the former one was, with flags of its own.
func (s *site) restart(t *testing.T, args ...string) {
	t.Helper()
	s.terminate(t)
	config := s.config
	config.args = append(append([]string{}, config.args...), args...)
	s.server = start(t, config)
}

// namespace creates an enrolled namespace of the site, with the service accounts named and the default one.
func (s *site) namespace(t *testing.T, serviceAccounts ...string) string {
	t.Helper()
	name := fmt.Sprintf("%s-%d", s.name, len(s.namespaces))
	s.namespaces = append(s.namespaces, name)
	must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, siteLabel: s.name},
	}}))
	for _, account := range serviceAccounts {
		must(t, admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name,
			Name: account}}))
	}
	// No pod can be created before a controller has created it.
	awaitObject(t, "the default service account", &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name,
		Name: "default"}}, func(*corev1.ServiceAccount) bool { return true })
	return name
}

// awaitCached waits until the server's cache has a namespace. Until then, the server reads the namespace at each
// review, and a test that counts calls would count that too. A dry run costs no other call.
func (s *site) awaitCached(t *testing.T, namespace string) {
	t.Helper()
	untilAnswer(t, "the server to have namespace "+namespace+" in its cache",
		func(ctx context.Context) (string, bool) {
			log := newAudit(t)
			err := admin.Create(ctx, newPod(namespace, "default", "net.core.somaxconn"), client.DryRunAll)
			reads := slices.DeleteFunc(log.calls(t, installation.Name),
				func(c call) bool { return c.ObjectRef.Resource != "namespaces" })
			return fmt.Sprintf("calls %v, error %v", reads, err), err == nil && len(reads) == 0
		})
}

// clean removes the site's pods and all grants, for the next tests.
func (s *site) clean(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	var errs []error
	for _, namespace := range s.namespaces {
		errs = append(errs, admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace),
			client.GracePeriodSeconds(0)),
			admin.DeleteAllOf(ctx, &rbacv1.RoleBinding{}, client.InNamespace(namespace)),
			admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	}
	if err := errors.Join(append(errs, admin.DeleteAllOf(ctx, &rbacv1.ClusterRole{},
		client.MatchingLabels(ours)))...); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

// newPod asks for sysctls, each set to 1024. A name may carry a value of its own.
func newPod(namespace, serviceAccount string, sysctls ...string) *corev1.Pod {
	var text strings.Builder
	for _, sysctl := range sysctls {
		if !strings.Contains(sysctl, "=") {
			sysctl += " = 1024"
		}
		fmt.Fprintln(&text, sysctl)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "web-",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: text.String()}},
		Spec: corev1.PodSpec{ServiceAccountName: serviceAccount,
			Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
	}
}

// create creates a pod that is to be admitted.
func create(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	createCounting(t, pod)
	return pod
}

// createCounting creates a pod that is to be admitted, and returns the number of attempts.
func createCounting(t *testing.T, pod *corev1.Pod) (attempts int) {
	t.Helper()
	attempts, err := attempt(t.Context(), admin, pod)
	must(t, err)
	if len(pod.Spec.InitContainers) != 1 || pod.Spec.InitContainers[0].Name != v1alpha1.ContainerName {
		t.Fatalf("the pod is admitted with init containers %v", pod.Spec.InitContainers)
	}
	return attempts
}

// attempt creates a pod as a controller does, and returns the number of attempts and the last answer.
func attempt(ctx context.Context, creator client.Client, pod *corev1.Pod) (attempts int, err error) {
	return clustertest.UntilGranted(ctx, func(ctx context.Context) error { return creator.Create(ctx, pod) })
}

// rejects creates a pod that is to be rejected, and compares the whole message.
func rejects(t *testing.T, pod *corev1.Pod, want string) {
	t.Helper()
	want = denied + want
	switch _, err := attempt(t.Context(), admin, pod); {
	case err == nil:
		t.Errorf("the pod is admitted, and was to be rejected: %s", want)
	case err.Error() != want:
		t.Errorf("the pod is rejected by\n%s\nwant\n%s", err, want)
	}
}

// rejectsFor creates a pod that must be rejected. It compares the beginning of the message and looks for the cause in
// it, since the HTTP client adds more text after a retry.
func rejectsFor(t *testing.T, pod *corev1.Pod, beginning, cause string) {
	t.Helper()
	switch err := admin.Create(t.Context(), pod); {
	case err == nil:
		t.Errorf("the pod is admitted, and was to be rejected: %s", beginning)
	case !strings.HasPrefix(err.Error(), denied+beginning), !strings.Contains(err.Error(), cause):
		t.Errorf("the pod is rejected by\n%s\nwant\n%s … %s", err, denied+beginning, cause)
	}
}

// remove deletes a pod at once: no kubelet is there to end it.
func remove(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	must(t, admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
}

// role returns the empty ClusterRole that grants a sysctl, to be read into.
func role(sysctl string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "sysctl-injector:" + sysctl}}
}

// binding returns the empty RoleBinding that grants a sysctl to a service account, to be read into.
func binding(namespace, serviceAccount, sysctl string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace,
		Name: "sysctl-injector:" + sysctl + ":" + serviceAccount}}
}
