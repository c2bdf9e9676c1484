package hostile_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// A client that reaches the port may send any request. It leads to grants only for a pod that the API server could send
// too.
func TestCallersOfThePort(t *testing.T) {
	suite.Cluster(t)
	enrolled := newNamespace(t, map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	elsewhere := newNamespace(t, nil)
	caller := callerOf(t)
	good := func() *corev1.Pod { return goodPod(enrolled) }
	with := func(tweak func(*corev1.Pod)) *corev1.Pod {
		p := good()
		tweak(p)
		return p
	}
	about := func(p *corev1.Pod, tweaks ...func(*admissionv1.AdmissionRequest)) string {
		return reviewOf(t, p, tweaks...)
	}
	// Kubernetes' own arithmetic would calculate a billion digits.
	withCPU := func(p *corev1.Pod, cpu string) string {
		dryRun := func(r *admissionv1.AdmissionRequest) { r.DryRun = new(true) }
		return strings.Replace(about(p, dryRun), `"resources":{}`, `"resources":{"limits":{"cpu":"`+cpu+`"}}`, 1)
	}
	before := grantsOf(t)
	attempts := []struct {
		name                    string
		method, path, mediaType string
		body                    string
		want                    string // the beginning of the answer: a status, or the message of a rejection
	}{
		{"a read", http.MethodGet, "", "", "", "405 "},
		{"a read of the metrics", http.MethodGet, "/metrics", "", "", "404 "},
		{"a read of the profile", http.MethodGet, "/debug/pprof/heap", "", "", "404 "},
		{"another path", "", "/mutate-pods/../validate", "", about(good()), "404 "},
		{"a form", "", "", "application/x-www-form-urlencoded", about(good()), "415 "},
		{"YAML", "", "", "application/yaml", about(good()), "415 "},
		{"a timeout below 0", "", admission.MutatePath + "?timeout=-24h", "", about(good()), "400 "},
		{"nothing", "", "", "", "", "400 "},
		{"a pod without a review", "", "", "", `{"apiVersion":"v1","kind":"Pod"}`, "400 "},
		{"deep nesting", "", "", "", strings.Repeat(`{"a":`, 500_000), "400 "},
		{"a deep pod", "", "", "", strings.Replace(about(good()), `"spec":{`,
			`"spec":{"a":`+strings.Repeat("[", 500_000)+strings.Repeat("]", 500_000)+",", 1), "400 "},
		{"another key in other case", "", "", "", strings.Replace(about(good()), `"namespace":"`+enrolled,
			`"Namespace":"`+enrolled, 1), "Misdirected: "},
		{"a Deployment", "", "", "", about(good(), func(r *admissionv1.AdmissionRequest) {
			r.Resource.Group,
				r.Resource.Resource = "apps", "deployments"
		}), "Misdirected: "},
		{"an update", "", "", "", about(good(),
			func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }), "Misdirected: "},
		{"an ephemeral container", "", "", "",
			about(good(),
				func(r *admissionv1.AdmissionRequest) { r.SubResource = "ephemeralcontainers" }), "Misdirected: "},
		{"a pod in a namespace that is not enrolled", "", "", "", about(goodPod(elsewhere)), "NamespaceNotEnabled: "},
		{"a pod beside the server", "", "", "", about(goodPod(installation.Namespace)), "NamespaceNotEnabled: "},
		{"a pod in a namespace that does not exist", "", "", "", about(goodPod("nowhere")), "NamespaceNotEnabled: "},
		{"a service account that does not exist", "", "", "",
			about(with(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "nobody" })), "NoServiceAccount: "},
		{"a namespace that the pod names, and the review does not", "", "", "",
			about(with(func(p *corev1.Pod) { p.Namespace = elsewhere }),
				func(r *admissionv1.AdmissionRequest) { r.Namespace = elsewhere }), "NamespaceNotEnabled: "},
		{"a sysctl of the node", "", "", "", about(with(sysctls("vm.max_map_count = 262144"))), "NodeLevel: "},
		{"a name that does not exist", "", "", "", about(with(sysctls("net.x = 1"))), "UnknownSysctl: "},
		{"a dry run", "", "", "", about(good(), func(r *admissionv1.AdmissionRequest) { r.DryRun = new(true) }),
			"allowed"},
		{"less of a CPU than can be calculated", "", "", "", withCPU(good(), "1e-999999999"), "allowed"},
		{"more of a CPU than can be calculated", "", "", "", withCPU(good(), "1e999999999"), "allowed"},
		{"the same in a container of ours", "", "", "", withCPU(with(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: v1alpha1.ContainerName}}
		}), "1e-999999999"), "allowed"},
		{"a pod that asks for nothing", "", "", "",
			about(with(func(p *corev1.Pod) { p.Annotations = nil })), "allowed"},
	}
	for _, attempt := range attempts {
		t.Run(attempt.name, func(t *testing.T) {
			if answer := caller.ask(t, attempt.method, attempt.path, attempt.mediaType,
				attempt.body); !strings.HasPrefix(answer, attempt.want) {
				t.Errorf("they get %.300q, want %q", answer, attempt.want)
			}
		})
	}
	t.Logf("%d attempts", len(attempts))
	if diff := cmp.Diff(before, grantsOf(t)); diff != "" {
		t.Errorf("grants (-before +after):\n%s", diff)
	}
}

// grantsOf returns the names of all grants, except in namespaces that are being deleted: there they go at any moment.
func grantsOf(t *testing.T) (names []string) {
	t.Helper()
	// The namespaces come first: a namespace that is gone by then has no bindings left.
	namespaces := &corev1.NamespaceList{}
	roles, bindings := &rbacv1.ClusterRoleList{}, &rbacv1.RoleBindingList{}
	must(t, admin.List(t.Context(), namespaces))
	must(t, admin.List(t.Context(), roles, client.MatchingLabels(ours)))
	must(t, admin.List(t.Context(), bindings, client.MatchingLabels(ours)))
	ending := map[string]bool{}
	for _, namespace := range namespaces.Items {
		ending[namespace.Name] = namespace.DeletionTimestamp != nil
	}
	for _, role := range roles.Items {
		names = append(names, role.Name)
	}
	for _, binding := range bindings.Items {
		if !ending[binding.Namespace] {
			names = append(names, binding.Namespace+"/"+binding.Name)
		}
	}
	return names
}

// caller reaches the port of the installed server.
type caller struct{ client *http.Client }

func callerOf(t *testing.T) caller {
	t.Helper()
	c := suite.Cluster(t)
	certificate, err := c.ServingCertificate("hostile")
	must(t, err)
	return caller{&http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true,
		TLSClientConfig: clientTLS(c, certificate)}}}
}

// ask sends a request and returns the HTTP status and body of an error, the message of a rejection, or "allowed". By
// default the request is a review.
func (c caller) ask(t *testing.T, method, path, mediaType, body string) string {
	t.Helper()
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = admission.MutatePath
	}
	if mediaType == "" {
		mediaType = "application/json"
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+installed.Server().Webhook+path,
		strings.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", mediaType)
	response, err := c.client.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusOK {
		return response.Status + " " + string(bytes.TrimSpace(content))
	}
	var review admissionv1.AdmissionReview
	must(t, json.Unmarshal(content, &review))
	if review.Response.Allowed {
		return "allowed"
	}
	return review.Response.Result.Message
}

// reviewOf returns the review that the API server would send for a pod, with tweaks.
func reviewOf(t *testing.T, p *corev1.Pod, tweaks ...func(*admissionv1.AdmissionRequest)) string {
	t.Helper()
	raw, err := json.Marshal(p)
	must(t, err)
	review := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "forged", Namespace: p.Namespace, Operation: admissionv1.Create,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	}
	for _, tweak := range tweaks {
		tweak(review.Request)
	}
	body, err := json.Marshal(review)
	must(t, err)
	return string(body)
}
