package admission

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// decision is the answer to one review.
type decision struct {
	reason  string // also an audit annotation and the label of a metric
	sysctls []injection.Sysctl
	*admissionv1.AdmissionResponse
	trial *policy.Trial // that would have rejected the pod; nil if none
}

// reject rejects the pod for a reason that is not in its annotations.
func reject(r *review, reason string, code int32, message string) decision {
	return rejection(r, reason, code, reason+": "+message)
}

var statusReasons = map[int32]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
}

// rejection is the answer that rejects the pod. The API server adds the message to "admission webhook … denied the
// request: ", for the person at the terminal or in the events of a ReplicaSet.
func rejection(r *review, reason string, code int32, message string) decision {
	return decision{reason: reason, AdmissionResponse: &admissionv1.AdmissionResponse{
		UID: types.UID(r.uid),
		Result: &metav1.Status{Status: metav1.StatusFailure, Message: truncate(message, maxMessage),
			Reason: statusReasons[code], Code: code},
		AuditAnnotations: map[string]string{"reason": reason},
	}}
}

// admit is the answer that admits the pod with the patch of the outcome.
func admit(r *review, outcome injection.Outcome) (decision, error) {
	response := &admissionv1.AdmissionResponse{
		UID:              types.UID(r.uid),
		Allowed:          true,
		AuditAnnotations: map[string]string{"reason": outcome.Reason},
		Warnings:         truncateWarnings(outcome.Warnings),
	}
	if len(outcome.Operations) > 0 {
		var err error
		if response.Patch, err = encodePatch(outcome.Operations); err != nil {
			return decision{}, err
		}
		response.PatchType = new(admissionv1.PatchTypeJSONPatch)
	}
	if len(outcome.Sysctls) > 0 {
		settings := make([]string, len(outcome.Sysctls))
		for n, s := range outcome.Sysctls {
			settings[n] = s.String()
		}
		response.AuditAnnotations["sysctls"] = truncate(strings.Join(settings, "; "), maxMessage)
	}
	if outcome.Trial != nil && outcome.Trial.Audit {
		response.AuditAnnotations["trial"] = trialMessage(outcome.Trial)
	}
	return decision{outcome.Reason, outcome.Sysctls, response, outcome.Trial}, nil
}

// encodePatch returns a JSON Patch. Most values are encoded already. encoding/json would check and copy them three
// times, which was a third of the CPU time of a request.
func encodePatch(operations []jsonpatch.Operation) ([]byte, error) {
	patch := append(make([]byte, 0, 2<<10), '[')
	for n, operation := range operations {
		if n > 0 {
			patch = append(patch, ',')
		}
		patch = jsontext.AppendString(append(patch, `{"op":`...), operation.Operation)
		patch = jsontext.AppendString(append(patch, `,"path":`...), operation.Path)
		if operation.Operation != "remove" {
			value, encoded := operation.Value.(json.RawMessage)
			if !encoded {
				var err error
				if value, err = json.Marshal(operation.Value); err != nil {
					return nil, fmt.Errorf("encode the patch: %w", err)
				}
			}
			patch = append(append(patch, `,"value":`...), value...)
		}
		patch = append(patch, '}')
	}
	return append(patch, ']'), nil
}

// encode returns the AdmissionReview of the answer.
func (d decision) encode() ([]byte, error) {
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, Response: d.AdmissionResponse,
	})
}

// Everything that is said about a pod is bounded: a pod may be 3 MB of mistakes.
const (
	// maxMessage bounds the message of a rejection, and each audit annotation.
	maxMessage = 8 << 10
	// maxWarning bounds each warning, and maxWarnings their number. The API server passes on 4 KiB at most.
	maxWarning  = 1 << 10
	maxWarnings = 32
	// maxName bounds a name in the log. No name of an object is longer.
	maxName = 253
	// maxUID bounds the UID of a review, which is returned as it is. The API server's have 36 characters.
	maxUID = 128
)

// truncate shortens a text to at most limit bytes, by whole characters. A text that is shortened is copied, so that the
// whole can be freed.
func truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const more = "…"
	return strings.ToValidUTF8(text[:limit-len(more)], "") + more
}

func truncateWarnings(warnings []string) []string {
	if len(warnings) > maxWarnings {
		warnings = warnings[:maxWarnings]
	}
	bounded := make([]string, len(warnings))
	for n, warning := range warnings {
		bounded[n] = truncate(warning, maxWarning)
	}
	return bounded
}
