package injection

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// The maps and lists that a patch extends, as a pod may have them: missing, null, empty, or filled.
var (
	labelsOf      = []string{"", "null", "{}", `{"app":"web"}`, `{"azure.workload.identity/use":"true"}`}
	annotationsOf = []string{"", "null", "{}", `{"example.com/other":"x"}`,
		`{"eks.amazonaws.com/skip-containers":"proxy","azure.workload.identity/skip-containers":"proxy"}`}
	volumesOf        = []string{"", "null", "[]", `[{"name":"aws-iam-token","projected":{}}]`}
	initsOf          = []string{"", "null", "[]", `[{"name":"setup"}]`, `[{"name":"setup"},{"name":"sysctl-injector"}]`}
	pullSecretsOf    = []string{"", "null", "[]", `[{"name":"own"}]`, `[{"name":"mirror"}]`}
	securityContexts = []string{"", "null", "{}", `{"runAsNonRoot":true}`, `{"sysctls":null}`, `{"sysctls":[]}`,
		`{"sysctls":[{"name":"net.ipv4.tcp_syncookies","value":"1"}]}`}
)

// Whatever a pod has of the maps and lists that the patch extends, every entry of the patch is in the result, and
// every entry of the pod too. A default profile applies, so a pod needs no annotation.
func TestEveryEntryOfThePatchIsKept(t *testing.T) {
	w := withDefaultFor(metav1.LabelSelector{}, "net.core.somaxconn = 4096\n"+safe)
	injector, err := New(Config{Strategy: form.NativeFirst, PullSecrets: []string{"mirror", "second"},
		Version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	rules, target := w.rules(t), Target{Namespace: "shop", NamespaceLabels: w.namespace}
	decide := func(raw []byte) []byte {
		read, err := pod.Decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		outcome := injector.Inject(read, target, rules)
		if outcome.IsDenied() {
			t.Fatalf("%s: %s", raw, outcome.Message())
		}
		return mustMarshal(outcome.Operations)
	}
	check := func(metadata, spec []string) {
		raw := fmt.Appendf(nil, `{"metadata":{%s},"spec":{%s}}`, strings.Join(metadata, ","),
			strings.Join(append(spec, `"containers":[{"name":"web"}]`), ","))
		operations := decide(raw)
		patch, err := jsonpatch.DecodePatch(operations)
		if err != nil {
			t.Fatal(err)
		}
		result, err := patch.Apply(raw)
		if err != nil {
			t.Fatalf("%s: apply %s: %v", raw, operations, err)
		}
		want := injectTyped(decodePod(t, raw))
		if got := decodePod(t, result); !apiequality.Semantic.DeepEqual(want, got) {
			t.Fatalf("%s: %s\n(-want +got):\n%s", raw, operations, cmp.Diff(want, got))
		}
		if again := decide(result); string(again) != "[]" && string(again) != "null" {
			t.Fatalf("%s: the second time: %s", result, again)
		}
	}
	for _, labels := range labelsOf {
		for _, annotations := range annotationsOf {
			for _, volumes := range volumesOf {
				check(slices.Concat(jsonField("labels", labels), jsonField("annotations", annotations)),
					jsonField("volumes", volumes))
			}
		}
	}
	for _, inits := range initsOf {
		for _, secrets := range pullSecretsOf {
			for _, context := range securityContexts {
				check(nil, slices.Concat(jsonField("initContainers", inits), jsonField("imagePullSecrets", secrets),
					jsonField("securityContext", context)))
			}
		}
	}
}

// jsonField is a field of a JSON object; nothing if it has no value.
func jsonField(name, value string) []string {
	if value == "" {
		return nil
	}
	return []string{fmt.Sprintf("%q:%s", name, value)}
}

func decodePod(t *testing.T, raw []byte) (decoded corev1.Pod) {
	t.Helper()
	if err := json.Unmarshal(raw, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// injectTyped makes the change on the typed pod, written without regard to the code under test.
func injectTyped(p corev1.Pod) corev1.Pod {
	azure := p.Labels["azure.workload.identity/use"] == "true"
	set := func(entries *map[string]string, key, value string) {
		if *entries == nil {
			*entries = map[string]string{}
		}
		(*entries)[key] = value
	}
	set(&p.Labels, v1alpha1.InjectedLabel, "true")
	set(&p.Annotations, v1alpha1.StatusAnnotation, `{"version":"v1.2.3","kernel":"Shared","form":"privileged",`+
		`"sysctls":["net.core.somaxconn=4096","net.ipv4.ip_local_port_range=1024 65000"],"defaults":["base"],`+
		`"from":{"net.core.somaxconn":"default base","net.ipv4.ip_local_port_range":"default base"},`+
		`"native":["net.ipv4.ip_local_port_range=1024 65000"]}`)
	skip := func(key, separator string) {
		names := v1alpha1.ContainerName
		if listed := p.Annotations[key]; listed != "" {
			names = listed + separator + names
		}
		set(&p.Annotations, key, names)
	}
	if len(p.Spec.Volumes) > 0 {
		skip("eks.amazonaws.com/skip-containers", ",")
	}
	if azure {
		skip("azure.workload.identity/skip-containers", ";")
	}
	p.Spec.InitContainers = slices.Insert(slices.DeleteFunc(p.Spec.InitContainers,
		func(c corev1.Container) bool { return c.Name == v1alpha1.ContainerName }), 0, injected())
	for _, name := range []string{"mirror", "second"} {
		if secret := (corev1.LocalObjectReference{Name: name}); !slices.Contains(p.Spec.ImagePullSecrets, secret) {
			p.Spec.ImagePullSecrets = append(p.Spec.ImagePullSecrets, secret)
		}
	}
	if p.Spec.SecurityContext == nil {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	p.Spec.SecurityContext.Sysctls = append(p.Spec.SecurityContext.Sysctls,
		corev1.Sysctl{Name: "net.ipv4.ip_local_port_range", Value: "1024 65000"})
	return p
}
