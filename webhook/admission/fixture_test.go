package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// cluster is a Source of a few names.
type cluster struct {
	rules   *policy.Set
	labels  map[string]string
	classes map[string]*nodev1.RuntimeClass
	err     error
	panics  bool
	waits   bool // until ctx ends, as a cache that is not filled yet
}

func (c *cluster) NamespaceLabels(ctx context.Context, _ string) (map[string]string, error) {
	if c.waits {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if c.panics {
		panic("a bug")
	}
	return c.labels, c.err
}

func (c *cluster) Rules() *policy.Set { return c.rules }

func (c *cluster) RuntimeClass(_ context.Context, name string) (*nodev1.RuntimeClass, error) {
	return c.classes[name], c.err
}

type fixture struct {
	cluster *cluster
	handler *Handler
	metrics *prometheus.Registry
	log     *lockedBuffer
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	injector, err := injection.New(injection.Config{Version: "v1.2.3", GuestHandlers: []string{"kata"}})
	if err != nil {
		t.Fatal(err)
	}
	allowAll, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec:       v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"*"}}}},
	})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	f := &fixture{
		cluster: &cluster{
			rules:   policy.NewSet([]*policy.Policy{allowAll}, nil),
			labels:  map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled},
			classes: map[string]*nodev1.RuntimeClass{"vm": {Handler: "kata"}},
		},
		metrics: prometheus.NewRegistry(),
		log:     &lockedBuffer{},
	}
	f.handler, err = New(Config{
		Injector: injector, Source: f.cluster,
		BodyBytes: testBodyBytes, Metrics: NewMetrics(f.metrics), Log: slog.New(slog.NewJSONHandler(f.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testBodyBytes is the memory that a test's handler has for bodies.
const testBodyBytes = 5 * MaxBodyBytes

// lockedBuffer is a log that a server and a test use at once.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buffer.Reset()
}

func (f *fixture) post(body string) *httptest.ResponseRecorder {
	return f.send(http.MethodPost, "application/json", strings.NewReader(body), len(body))
}

// send sends a body of a size, which is below 0 if it is not declared.
func (f *fixture) send(method, contentType string, body io.Reader, size int) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, MutatePath+"?timeout=5s", body)
	request.Header.Set("Content-Type", contentType)
	request.ContentLength = int64(size)
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, request)
	return answer
}

// counted are the requests counted so far, by reason.
func (f *fixture) counted(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "sysctl_injector_admission_requests_total" {
			for _, series := range family.GetMetric() {
				counted[series.GetLabel()[0].GetValue()] = series.GetCounter().GetValue()
			}
		}
	}
	return counted
}

// reviewOf is a review as the API server sends it, of a pod.
func reviewOf(pod string) string {
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{
"uid":"705ab4f5-6393-11e8-b7cc-42010a800002",
"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},
"requestKind":{"group":"","version":"v1","kind":"Pod"},"requestResource":{"group":"","version":"v1","resource":"pods"},
"name":"web","namespace":"shop","operation":"CREATE","userInfo":{"username":"admin","groups":["system:authenticated"]},
"object":%s,"oldObject":null,"dryRun":false,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}`, pod)
}

const (
	plainPod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},` +
		`"spec":{"containers":[{"name":"web","image":"nginx"}]}}`
	optedOutPod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web",` +
		`"annotations":{"sysctl-injector.dev/sysctls":"net.core.somaxconn = 1024","sysctl-injector.dev/inject":` +
		`"false"}},"spec":{"containers":[{"name":"web","image":"nginx"}]}}`
	annotatedPod = `{"kind":"Pod","apiVersion":"v1","metadata":{"generateName":"web-",` +
		`"annotations":{"sysctl-injector.dev/sysctls":"net.core.somaxconn = 1024"},` +
		`"ownerReferences":[{"kind":"ReplicaSet","name":"web-5d4","controller":true}]},` +
		`"spec":{"serviceAccountName":"psp-user","containers":[{"name":"web","image":"nginx"}]}}`
)

func decode(t *testing.T, answer *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, %s: %s", answer.Code, answer.Header().Get("Content-Type"), answer.Body)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil {
		t.Fatal(err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" ||
		review.Response.UID != "705ab4f5-6393-11e8-b7cc-42010a800002" {
		t.Errorf("got %s", answer.Body)
	}
	return review.Response
}
