package admission

import (
	"encoding/json"
	"net/http"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// decision is the answer to one review, with what is logged of it.
type decision struct {
	reason    string
	refused   bool
	namespace string
	pod       *injection.Pod
	response  admissionv1.AdmissionResponse
	patch     []jsonpatch.Operation
}

// refuse answers that the pod may not be created, for a reason that is not about what it asks for.
func refuse(r *review, reason string, code int32, message string) decision {
	return refusal(r, reason, code, reason+": "+message)
}

// refusal is the answer that the pod may not be created. The API server puts the message behind "admission webhook … denied
// the request: ", for the person at the terminal or in the events of a ReplicaSet.
func refusal(r *review, reason string, code int32, message string) decision {
	statusReasons := map[int32]metav1.StatusReason{
		http.StatusBadRequest:          metav1.StatusReasonBadRequest,
		http.StatusForbidden:           metav1.StatusReasonForbidden,
		http.StatusInternalServerError: metav1.StatusReasonInternalError,
	}
	return decision{
		reason: reason, refused: true, namespace: r.namespace, pod: r.pod,
		response: admissionv1.AdmissionResponse{
			UID:              types.UID(r.uid),
			Result:           &metav1.Status{Status: metav1.StatusFailure, Message: message, Reason: statusReasons[code], Code: code},
			AuditAnnotations: map[string]string{"reason": reason},
		},
	}
}

// answer puts the outcome into the terms of admission.
func answer(r *review, outcome injection.Outcome) decision {
	if outcome.IsRefused() {
		return refusal(r, outcome.Reason, http.StatusForbidden, outcome.Message())
	}
	audit := map[string]string{"reason": outcome.Reason}
	if len(outcome.Sysctls) > 0 {
		settings := make([]string, len(outcome.Sysctls))
		for i, s := range outcome.Sysctls {
			settings[i] = s.String()
		}
		audit["sysctls"] = strings.Join(settings, "; ")
	}
	return decision{
		reason: outcome.Reason, namespace: r.namespace, pod: r.pod, patch: outcome.Operations,
		response: admissionv1.AdmissionResponse{UID: types.UID(r.uid), Allowed: true, Warnings: outcome.Warnings, AuditAnnotations: audit},
	}
}

func (d decision) write(w http.ResponseWriter) {
	if len(d.patch) > 0 {
		patch, err := json.Marshal(d.patch)
		if err != nil {
			http.Error(w, "encode the patch: "+err.Error(), http.StatusInternalServerError)
			return
		}
		patchType := admissionv1.PatchTypeJSONPatch
		d.response.Patch, d.response.PatchType = patch, &patchType
	}
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: &d.response,
	}
	encoded, err := json.Marshal(review)
	if err != nil {
		http.Error(w, "encode the response: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded) // the API server has gone: there is nobody left to tell
}
