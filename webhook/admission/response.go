package admission

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// decision is the answer to one review, with what is logged of it.
type decision struct {
	reason    string
	refused   bool
	namespace string
	pod       *pod.Pod
	response  *admissionv1.AdmissionResponse // of a refusal

	// Of an admission.
	uid      string
	patch    []jsonpatch.Operation
	warnings []string
	sysctls  []sysctl.Assignment
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
		response: &admissionv1.AdmissionResponse{
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
	return decision{
		reason: outcome.Reason, namespace: r.namespace, pod: r.pod, uid: r.uid, patch: outcome.Operations, warnings: outcome.Warnings, sysctls: outcome.Sysctls,
	}
}

// append writes the AdmissionReview that answers. An admission is written by hand, since it is on the path of every pod, and what
// encoding/json makes of the same is its test; a refusal is left to encoding/json.
func (d *decision) append(to []byte) ([]byte, error) {
	const head = `{"kind":"` + kind + `","apiVersion":"` + apiVersion + `","response":`
	to = append(to, head...)
	if d.refused {
		encoded, err := json.Marshal(d.response)
		return append(append(to, encoded...), '}'), err
	}
	to = jsontext.AppendString(append(to, `{"uid":`...), d.uid)
	to = append(to, `,"allowed":true`...)
	if len(d.patch) > 0 {
		patch, err := appendPatch(make([]byte, 0, 2<<10), d.patch)
		if err != nil {
			return nil, err
		}
		to = append(to, `,"patch":"`...)
		to = append(base64.StdEncoding.AppendEncode(to, patch), `","patchType":"JSONPatch"`...)
	}
	to = jsontext.AppendString(append(to, `,"auditAnnotations":{"reason":`...), d.reason)
	if len(d.sysctls) > 0 {
		settings := make([]byte, 0, 128)
		for i, s := range d.sysctls {
			if i > 0 {
				settings = append(settings, "; "...)
			}
			settings = append(append(append(settings, s.Name...), '='), s.Value...)
		}
		to = jsontext.AppendString(append(to, `,"sysctls":`...), string(settings))
	}
	to = append(to, '}')
	if len(d.warnings) > 0 {
		to = jsontext.AppendStrings(append(to, `,"warnings":`...), d.warnings)
	}
	return append(to, "}}"...), nil
}

// appendPatch writes a JSON Patch, whose values are encoded already but for rare ones.
func appendPatch(to []byte, patch []jsonpatch.Operation) ([]byte, error) {
	to = append(to, '[')
	for i, operation := range patch {
		if i > 0 {
			to = append(to, ',')
		}
		to = jsontext.AppendString(append(to, `{"op":`...), operation.Operation)
		to = jsontext.AppendString(append(to, `,"path":`...), operation.Path)
		switch value := operation.Value.(type) {
		case nil: // of a removal
		case json.RawMessage:
			to = append(append(to, `,"value":`...), value...)
		default:
			encoded, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("encode the patch: %w", err)
			}
			to = append(append(to, `,"value":`...), encoded...)
		}
		to = append(to, '}')
	}
	return append(to, ']'), nil
}
