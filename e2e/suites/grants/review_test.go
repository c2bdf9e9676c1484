package grants_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// review sends a review to a server as the API server does, but about any pod. Every client that reaches the port can
// do so.
func (s *server) review(t *testing.T, pod *corev1.Pod) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(pod)
	must(t, err)
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "forged", Namespace: pod.Namespace, Operation: admissionv1.Create,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	must(t, err)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(serving.CA)
	caller := http.Client{Transport: &http.Transport{DialContext: suite.Cluster(t).Dial, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Webhook+admission.MutatePath,
		bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := caller.Do(request)
	must(t, err)
	defer response.Body.Close()
	var answer admissionv1.AdmissionReview
	must(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Response
}

// rejectsForeignNamespace: for a namespace outside the cache, the server cannot ask whether it is enrolled.
func (m *minimal) rejectsForeignNamespace(t *testing.T, r right) {
	m.rejectsReview(t, newPod("kube-public", "default", "net.core.somaxconn"),
		fmt.Sprintf(`ClusterUnavailable: read namespace "kube-public": namespaces "kube-public" is forbidden: %s in `+
			`the namespace "kube-public"`, r.denied()))
}

// rejectsUnknownRuntimeClass: for a RuntimeClass that is not in the cache yet, the server cannot ask whether it exists.
func (m *minimal) rejectsUnknownRuntimeClass(t *testing.T, r right) {
	pod := newPod(m.namespace, "default", "net.core.somaxconn")
	class := "new"
	pod.Spec.RuntimeClassName = &class
	m.rejectsReview(t, pod,
		fmt.Sprintf(`ClusterUnavailable: read RuntimeClass "new": runtimeclasses.node.k8s.io "new" is forbidden: %s `+
			`at the cluster scope`, r.denied()))
}

func (m *minimal) rejectsReview(t *testing.T, pod *corev1.Pod, want string) {
	t.Helper()
	if answer := m.review(t, pod); answer.Allowed || answer.Result.Message != want {
		t.Errorf("the answer is %v, want %s", answer, want)
	}
}
