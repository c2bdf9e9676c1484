package admission

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// FuzzResponse holds the answer that is written by hand against encoding/json: both say the same.
func FuzzResponse(f *testing.F) {
	f.Add("705ab4f5-6393-11e8-b7cc-42010a800002", "Injected", "net.core.somaxconn", "1024", "a warning", "/spec/initContainers/0", true)
	f.Add(`a "uid" \ with`, "Reason<&>", "", "é\xff\u2028", "", "/metadata/labels/a~1b", false)
	f.Add("", "", "\x00", "\n", "\U0001f600", "", true)
	f.Fuzz(func(t *testing.T, uid, reason, name, value, warning, path string, patched bool) {
		d := decision{uid: uid, reason: reason}
		want := admissionv1.AdmissionResponse{UID: types.UID(uid), Allowed: true, AuditAnnotations: map[string]string{"reason": reason}}
		if name != "" {
			d.sysctls = []sysctl.Assignment{{Name: name, Value: value}, {Name: "b", Value: "2"}}
			want.AuditAnnotations["sysctls"] = name + "=" + value + "; b=2"
		}
		if warning != "" {
			d.warnings = []string{warning, value}
			want.Warnings = d.warnings
		}
		if patched {
			quoted, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			d.patch = []jsonpatch.Operation{
				jsonpatch.NewOperation("add", path, json.RawMessage(quoted)),
				jsonpatch.NewOperation("remove", path, nil),
				jsonpatch.NewOperation("add", path, []map[string]string{{"name": name}}),
			}
			patchType := admissionv1.PatchTypeJSONPatch
			if want.Patch, err = json.Marshal(d.patch); err != nil {
				t.Fatal(err)
			}
			want.PatchType = &patchType
		}
		written, err := d.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(admissionv1.AdmissionReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Response: &want,
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(meaning(t, encoded), meaning(t, written)); diff != "" {
			t.Errorf("(-encoding/json +by hand):\n%s", diff)
		}
	})
}

// meaning is what a reader makes of a review; its patch is read too.
func meaning(t *testing.T, review []byte) any {
	t.Helper()
	var read map[string]any
	if err := json.Unmarshal(review, &read); err != nil {
		t.Fatalf("%v: %q", err, review)
	}
	var typed admissionv1.AdmissionReview
	if err := json.Unmarshal(review, &typed); err != nil {
		t.Fatal(err)
	}
	if patch := typed.Response.Patch; patch != nil {
		var operations any
		if err := json.Unmarshal(patch, &operations); err != nil {
			t.Fatalf("%v: %q", err, patch)
		}
		read["response"].(map[string]any)["patch"] = operations
	}
	return read
}
