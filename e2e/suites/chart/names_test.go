package chart_test

import (
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// named sets each value that takes a name, a label or an image.
const named = `
imagePullSecrets: [{name: "NAME"}]
initContainer: {image: "NAME", pullSecrets: ["NAME"]}
guestHandlers: ["NAME"]
guard: {previousImages: ["NAME-1"]}
webhook: {clientCAConfigMap: "NAME", configurationName: "NAME", annotations: {"NAME": "NAME"}}
priorityClassName: "NAME"
nodeSelector: {"NAME": "NAME"}
tolerations: [{key: "NAME", operator: Equal, value: "NAME"}]
podAnnotations: {"NAME": "NAME"}
podLabels: {"NAME": "NAME"}
networkPolicy: {metricsNamespaces: ["NAME"]}
metrics:
  serviceMonitor: {enabled: true, labels: {"NAME": "NAME"}}
  prometheusRule: {enabled: true, labels: {"NAME": "NAME"}}
  dashboard: {enabled: true, labels: {"NAME": "NAME"}}
`

// Kubernetes allows names such as 123 and true, which YAML without quotes does not read as text.
func TestNamesStayText(t *testing.T) {
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, certmanagerv1.AddToScheme,
		v1alpha1.AddToScheme} {
		must(t, add(types))
	}
	for _, name := range []string{"123", "1e3", "true", "null"} {
		for _, certificates := range []string{
			"{source: cert-manager}", "{source: self-managed}",
			`{source: existing-secret, existingSecret: "NAME", caBundle: Cg==}`,
		} {
			t.Run(name+" "+certificates, func(t *testing.T) {
				values := strings.ReplaceAll(named+"certificates: "+certificates, "NAME", name)
				output, problem, err := template(t, values, name, chart, "--namespace", name)
				if err != nil {
					t.Fatalf("%v\n%s", err, problem)
				}
				for _, object := range decode(t, output) {
					typed, err := types.New(object.GroupVersionKind())
					if runtime.IsNotRegisteredError(err) { // of the Prometheus operator
						typed = &metav1.PartialObjectMetadata{}
						delete(object.Object, "spec")
						if object.GetLabels()[name] != name {
							t.Errorf("%s has the labels %v", object.GetKind(), object.GetLabels())
						}
					} else {
						must(t, err)
					}
					convert(t, object, typed)
				}
			})
		}
	}
}
