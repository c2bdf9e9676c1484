package admission_test

import (
	"context"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
)

const (
	// presence is the guard's policy that rejects pods that the webhook has not seen. The other policies have their own
	// suite.
	presence = "sysctl-injector-presence"
	// defaults is the guard's policy that rejects pods without their default profiles.
	defaults = "sysctl-injector-defaults"
	// presenceLabel is the label of the namespaces in which the policy acts.
	presenceLabel = "example.com/presence"
	nothingSets   = "ValidatingAdmissionPolicy '" + presence + "' with binding '" + presence + "' denied request: " +
		"the pod asks for sysctls, and nothing would set them: the webhook of sysctl-injector did not see this pod."
)

// installPresence installs the shipped presence policy for the namespaces with the label, and the policy about default
// profiles, which acts in no other test's namespaces.
func installPresence(ctx context.Context) error {
	objects, err := guard.Render(guard.Config{Images: []string{initImage}})
	if err != nil {
		return err
	}
	registration := client.AdmissionregistrationV1()
	for _, object := range objects {
		if object.GetName() != presence && object.GetName() != defaults {
			continue
		}
		switch object := object.(type) {
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			_, err = registration.ValidatingAdmissionPolicies().Create(ctx, object, metav1.CreateOptions{})
		case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
			if object.Name == presence {
				only := map[string]string{presenceLabel: "true"}
				object.Spec.MatchResources.NamespaceSelector = &metav1.LabelSelector{MatchLabels: only}
			}
			_, err = registration.ValidatingAdmissionPolicyBindings().Create(ctx, object, metav1.CreateOptions{})
		}
		if err != nil {
			return err
		}
	}
	return clustertest.SettlePolicies(ctx, client)
}

// present are the labels of an enrolled namespace in which the policy acts.
var present = map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, presenceLabel: "true"}

// makeAnnotated makes a namespace where another webhook, before or after ours, adds the annotation to pods without
// it.
func makeAnnotated(t *testing.T, position string) string {
	t.Helper()
	namespace := makeNamespace(t, present)
	otherWebhook{position, func(pod *corev1.Pod) []operation {
		switch {
		case pod.Annotations == nil:
			asking := map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}
			return []operation{{"add", "/metadata/annotations", asking}}
		case pod.Annotations[v1alpha1.SysctlsAnnotation] == "":
			return []operation{{"add", "/metadata/annotations/sysctl-injector.dev~1sysctls",
				"net.core.somaxconn = 1024"}}
		}
		return nil
	}}.install(t, namespace)
	return namespace
}

// A pod that another webhook annotates is injected, whichever webhook runs first. TestOutages covers the same while our
// webhook is down.
func TestAnnotatedByAnotherWebhook(t *testing.T) {
	t.Parallel()
	for _, position := range []string{before, after} {
		t.Run(position, func(t *testing.T) {
			t.Parallel()
			namespace := makeAnnotated(t, position)
			var created *corev1.Pod
			eventually(t, "the pod to be created", func(ctx context.Context) (done bool, err error) {
				created, err = client.CoreV1().Pods(namespace).Create(ctx, newPod("web", ""), metav1.CreateOptions{})
				if err != nil &&
					(strings.Contains(err.Error(), nothingSets) || strings.Contains(err.Error(), "GrantFailed")) {
					return false, nil // our webhook or its grant was late, and the pod was not created without it
				}
				return err == nil, err
			})
			wantInjected(t, created, "net.core.somaxconn=1024")
		})
	}
}
