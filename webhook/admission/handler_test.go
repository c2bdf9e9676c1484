package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestInjects(t *testing.T) {
	f := newFixture(t)
	response := decode(t, f.post(reviewOf(annotatedPod)))
	want := `[{"op":"add","path":"/metadata/labels","value":{"sysctl-injector.dev/injected":"true"}},` +
		`{"op":"add","path":"/metadata/annotations/sysctl-injector.dev~1status",` +
		`"value":"{\"version\":\"v1.2.3\",\"kernel\":\"Shared\",\"form\":\"privileged\",` +
		`\"sysctls\":[\"net.core.somaxconn=1024\"]}"},` +
		`{"op":"add","path":"/spec/initContainers","value":[{"name":"sysctl-injector",` +
		`"image":"docker.io/library/busybox:1.36","command":["sysctl","-w"],"args":["net.core.somaxconn=1024"],` +
		`"terminationMessagePolicy":"FallbackToLogsOnError","imagePullPolicy":"IfNotPresent",` +
		`"securityContext":{"privileged":true,"runAsUser":0,"runAsGroup":0,"runAsNonRoot":false,` +
		`"readOnlyRootFilesystem":true,"appArmorProfile":{"type":"Unconfined"}}}]}]`
	if diff := cmp.Diff(want, string(response.Patch)); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
	if !response.Allowed || *response.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Errorf("got %+v", response)
	}
	if diff := cmp.Diff(map[string]string{"reason": "Injected", "sysctls": "net.core.somaxconn=1024"},
		response.AuditAnnotations); diff != "" {
		t.Errorf("audit annotations (-want +got):\n%s", diff)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(f.log.String()), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	if diff := cmp.Diff(map[string]any{
		"level": "INFO", "msg": "Admitted pod", "namespace": "shop", "pod": "web-", "serviceAccount": "psp-user",
		"reason": "Injected", "ownerKind": "ReplicaSet", "owner": "web-5d4",
		"forms": []any{"privileged"},
	}, line); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestLeavesAlone(t *testing.T) {
	response := decode(t, newFixture(t).post(reviewOf(plainPod)))
	if !response.Allowed || response.Patch != nil || response.PatchType != nil ||
		response.AuditAnnotations["reason"] != "NotRequested" {
		t.Errorf("got %+v", response)
	}
}

func TestRejects(t *testing.T) {
	misdirected := func(what string) string {
		return "Misdirected: this webhook decides on the creation of pods only, and was asked about " + what +
			"; correct the rules of the MutatingWebhookConfiguration"
	}
	tests := []struct {
		name, body string
		tweak      func(*fixture)
		code       int32
		reason     metav1.StatusReason
		message    string
	}{
		{"a pod that may not have what it asks for", reviewOf(strings.Replace(annotatedPod, `"spec":{`,
			`"spec":{"hostNetwork":true,`, 1)), nil, 403, "Forbidden",
			"HostNetwork: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: net.core.somaxconn " +
				"would change the node: the pod shares the node's network namespace (hostNetwork: true); remove " +
				"hostNetwork, or the sysctl"},
		{"a node-level sysctl under an unknown RuntimeClass",
			reviewOf(strings.NewReplacer("net.core.somaxconn", "vm.swappiness",
				`"spec":{`, `"spec":{"runtimeClassName":"gone",`).Replace(annotatedPod)), nil, 403, "Forbidden",
			`NodeLevel: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: vm.swappiness is ` +
				`node-level: it would change the node and every pod on it. The pod's RuntimeClass "gone" does not ` +
				`exist; an administrator can set it on the node, or the pod can run under a RuntimeClass that gives ` +
				`it a kernel of its own (Kata Containers, for one)`},
		{"a pod that cannot be read",
			reviewOf(`{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":1}},"spec":{"hostNetwork":"yes"}}`),
			nil, 400, "BadRequest",
			"UnreadablePod: metadata.annotations[sysctl-injector.dev/sysctls] must be a string, not a number\n" +
				"spec.hostNetwork must be true or false, not a string"},
		{"a pod with an annotation that stands there twice",
			reviewOf(`{"metadata":{"annotations":{"sysctl-injector.dev/inject":"false",` +
				`"sysctl-injector.dev\/inject":"true"}},"spec":{}}`), nil, 400, "BadRequest",
			"UnreadablePod: metadata.annotations[sysctl-injector.dev/inject] stands there twice"},
		{"another resource", strings.Replace(reviewOf(plainPod), `"resource":"pods"}`, `"resource":"deployments"}`, 1),
			nil, 400, "BadRequest", misdirected(`the operation "CREATE" on "deployments", version "v1"`)},
		{"a resource of another group", strings.Replace(reviewOf(plainPod), `"resource":{"group":""`,
			`"resource":{"group":"metrics.k8s.io"`, 1), nil, 400, "BadRequest",
			misdirected(`the operation "CREATE" on "pods.metrics.k8s.io", version "v1"`)},
		{"a subresource", strings.Replace(reviewOf(plainPod), `"operation"`,
			`"subResource":"ephemeralcontainers","operation"`, 1), nil, 400, "BadRequest",
			misdirected(`the operation "CREATE" on "pods/ephemeralcontainers", version "v1"`)},
		{"an update", strings.Replace(reviewOf(plainPod), `"CREATE"`, `"UPDATE"`, 1), nil, 400, "BadRequest",
			misdirected(`the operation "UPDATE" on "pods", version "v1"`)},
		{"a pod without a namespace", strings.Replace(reviewOf(plainPod), `"namespace":"shop",`, ``, 1), nil, 400,
			"BadRequest", misdirected(`a pod without a namespace or without an object`)},
		{"a review without an object", reviewOf("null"), nil, 400, "BadRequest",
			misdirected(`a pod without a namespace or without an object`)},
		{"a namespace that is not enrolled", reviewOf(annotatedPod), func(f *fixture) { f.cluster.labels = nil }, 403,
			"Forbidden",
			`NamespaceNotEnabled: metadata.namespace: Forbidden: namespace "shop" is not enrolled; an administrator ` +
				`can run: kubectl label namespace shop sysctl-injector.dev/inject=enabled`},
		{"what it cannot find out about", reviewOf(annotatedPod),
			func(f *fixture) { f.cluster.err = errors.New("connection refused") }, 500, "InternalError",
			`ClusterUnavailable: read namespace "shop": connection refused`},
		{"what makes it panic", reviewOf(annotatedPod), func(f *fixture) { f.cluster.panics = true },
			500, "InternalError",
			`Panic: sysctl-injector met an error of its own; its log says more`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			if test.tweak != nil {
				test.tweak(f)
			}
			response := decode(t, f.post(test.body))
			want := &metav1.Status{
				Status:  metav1.StatusFailure,
				Code:    test.code,
				Reason:  test.reason,
				Message: test.message,
			}
			if diff := cmp.Diff(want, response.Result); diff != "" || response.Allowed || response.Patch != nil {
				t.Errorf("allowed %v, result (-want +got):\n%s", response.Allowed, diff)
			}
			reason, _, _ := strings.Cut(test.message, ":")
			if response.AuditAnnotations["reason"] != reason {
				t.Errorf("audit annotation %q, want %q", response.AuditAnnotations["reason"], reason)
			}
			if diff := cmp.Diff(map[string]float64{"ClusterUnavailable": 0, "GrantFailed": 0, "Panic": 0, reason: 1},
				f.counted(t)); diff != "" {
				t.Errorf("requests counted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLeavesAPlainPodAloneInANamespaceThatIsNotOptedIn(t *testing.T) {
	f := newFixture(t)
	f.cluster.labels = nil
	if response := decode(t, f.post(reviewOf(plainPod))); !response.Allowed {
		t.Errorf("got %+v", response.Result)
	}
}

func TestRejectsWhatIsNoReview(t *testing.T) {
	tests := []struct {
		name, method, contentType, body string
		status                          int
		message                         string
	}{
		{"another method", http.MethodGet, "", "", 405, "send an AdmissionReview by POST"},
		{"another content type", http.MethodPost, "text/plain", "{}", 415,
			`Content-Type must be application/json, not "text/plain"`},
		{"no content type", http.MethodPost, "", "{}", 415, `Content-Type must be application/json, not ""`},
		{"truncated JSON", http.MethodPost, "application/json", reviewOf(plainPod)[:300], 400,
			"not an AdmissionReview: its JSON is cut short or otherwise broken"},
		{"an empty body", http.MethodPost, "application/json", "", 400,
			"not an AdmissionReview: its JSON is cut short or otherwise broken"},
		{"a list", http.MethodPost, "application/json", "[]", 400,
			"not an AdmissionReview: must be an object, not a list"},
		{"another kind", http.MethodPost, "application/json; charset=utf-8", plainPod, 400,
			`not an AdmissionReview that this webhook reads (apiVersion admission.k8s.io/v1): it says apiVersion ` +
				`"v1", kind "Pod"`},
		{"another version", http.MethodPost, "application/json", strings.Replace(reviewOf(plainPod), "k8s.io/v1",
			"k8s.io/v1beta1", 1), 400,
			`not an AdmissionReview that this webhook reads (apiVersion admission.k8s.io/v1): it says apiVersion ` +
				`"admission.k8s.io/v1beta1", kind "AdmissionReview"`},
		{"a review without a request", http.MethodPost, "application/json",
			`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 400,
			"not an AdmissionReview: it has no request.uid"},
		{"hostile nesting", http.MethodPost, "application/json", strings.Repeat(`{"a":`, 1<<19), 400,
			"not an AdmissionReview: its JSON nests too deep"},
		{"a UID that is too long", http.MethodPost, "application/json",
			strings.Replace(reviewOf(plainPod), `"uid":"`, `"uid":"`+strings.Repeat("7", maxUID), 1), 400,
			"not an AdmissionReview: its request.uid is longer than 128 bytes"},
		{"a body over the limit", http.MethodPost, "application/json", strings.Repeat(" ", MaxBodyBytes+1), 413,
			fmt.Sprintf("the body is larger than %d bytes", MaxBodyBytes)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := newFixture(t).send(test.method, test.contentType, strings.NewReader(test.body), len(test.body))
			if got := strings.TrimSpace(answer.Body.String()); answer.Code != test.status || got != test.message {
				t.Errorf("got %d %q, want %d %q", answer.Code, got, test.status, test.message)
			}
		})
	}
}

// A size that is not declared shows only as the body is read.
func TestBodyOfUnknownSize(t *testing.T) {
	answer := newFixture(t).send(http.MethodPost, "application/json",
		strings.NewReader(strings.Repeat(" ", MaxBodyBytes+1)), -1)
	if answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %q, want %d", answer.Code, answer.Body, http.StatusRequestEntityTooLarge)
	}
}

// A decision that has to wait ends before the API server's timeout, so that the message says the cause.
func TestAnswersWithinTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for query, want := range map[string]time.Duration{
			"?timeout=1s": 900 * time.Millisecond, "?timeout=5s": 4500 * time.Millisecond,
			"?timeout=10s": 9500 * time.Millisecond,
			"":             9500 * time.Millisecond, "?timeout=10m": 29500 * time.Millisecond,
		} {
			f := newFixture(t)
			f.cluster.waits = true
			request := httptest.NewRequest(http.MethodPost, MutatePath+query, strings.NewReader(reviewOf(annotatedPod)))
			request.Header.Set("Content-Type", "application/json")
			answer, begun := httptest.NewRecorder(), time.Now()
			f.handler.ServeHTTP(answer, request)
			response := decode(t, answer)
			if took := time.Since(begun); took != want {
				t.Errorf("%q: takes %s, want %s", query, took, want)
			}
			const want = `ClusterUnavailable: read namespace "shop": context deadline exceeded`
			if response.Result.Message != want {
				t.Errorf("%q: got %q, want %q", query, response.Result.Message, want)
			}
		}
	})
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("a bug") }

// A panic before there is a review to answer must not end the process.
func TestRejectsWhatMakesItPanic(t *testing.T) {
	f := newFixture(t)
	answer := f.send(http.MethodPost, "application/json", panickingReader{}, -1)
	if got := strings.TrimSpace(answer.Body.String()); answer.Code != http.StatusInternalServerError ||
		got != ownError || !strings.Contains(f.log.String(), `"cause":"a bug"`) {
		t.Errorf("got %d %q, log:\n%s", answer.Code, got, f.log)
	}
}

func TestConfigIsRequired(t *testing.T) {
	config := newFixture(t).handler.Config
	config.Source = nil
	if _, err := New(config); err == nil || err.Error() != "admission: Source is required" {
		t.Errorf("got %v", err)
	}
}
