package admission

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// FuzzBody sends any body: it is answered, never with a panic, and what is admitted with a patch is a review by the
// API's own decoding too.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		reviewOf(plainPod), reviewOf(annotatedPod), reviewOf("{}"), reviewOf("null"), "{}", "[[[[",
		`{"request":{"uid":"a","uid":"b"}}`,
		reviewOf(strings.Replace(annotatedPod, "sysctl-injector.dev/sysctls", `sysctl-injector.dev\/sysctl\u0073`, 1)),
		reviewOf(strings.Replace(annotatedPod, `"metadata":{`,
			`"Metadata":{"labels":{"a":"b"}},"metadata":{"labels":null,`, 1)),
		reviewOf(strings.Replace(annotatedPod, `"spec":{`,
			`"spec":{"initContainers":[{"name":"sysctl-injector"}],"hostUsers":false,`, 1)),
	} {
		f.Add(seed)
	}
	fixture := newFixture(f)
	f.Fuzz(func(t *testing.T, body string) {
		fixture.log.Reset()
		answer := fixture.post(body)
		if answer.Code >= http.StatusInternalServerError ||
			bytes.Contains(answer.Body.Bytes(), []byte(`"reason":"Panic"`)) {
			t.Fatalf("status %d: %s\n%s", answer.Code, answer.Body, fixture.log)
		}
		if answer.Code != http.StatusOK {
			return
		}
		var answered admissionv1.AdmissionReview
		if err := json.Unmarshal(answer.Body.Bytes(), &answered); err != nil {
			t.Fatalf("the answer is no JSON: %v", err)
		}
		var asked struct {
			Request struct {
				UID    string `json:"uid"`
				Object struct {
					Metadata struct {
						Annotations map[string]string `json:"annotations"`
					} `json:"metadata"`
				} `json:"object"`
			} `json:"request"`
		}
		if err := caseSensitive(body, &asked); err != nil {
			if answered.Response.Patch != nil {
				t.Fatalf("patches what the API's decoder cannot read: %v", err)
			}
			return
		}
		if asked.Request.UID != string(answered.Response.UID) {
			t.Fatalf("answers uid %q, asked was %q", answered.Response.UID, asked.Request.UID)
		}
		_, asks := asked.Request.Object.Metadata.Annotations[v1alpha1.SysctlsAnnotation]
		if answered.Response.Patch != nil && !asks {
			t.Fatal("patches a pod that by the API's decoder asks for nothing")
		}
	})
}

// caseSensitive decodes as the API server does.
func caseSensitive(body string, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts([]byte(body), into)
}
