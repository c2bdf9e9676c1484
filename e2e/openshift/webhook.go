package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
)

// handler answers an AdmissionReview of a pod by one of the plugin's two methods.
func handler(decide func(context.Context, admission.Attributes, admission.ObjectInterfaces) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, fmt.Sprintf("no AdmissionReview: %v", err), http.StatusBadRequest)
			return
		}
		response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if patch, err := admit(r.Context(), review.Request, decide); err != nil {
			response.Allowed, response.Result = false, statusOf(err)
		} else if len(patch) > 0 {
			kind := admissionv1.PatchTypeJSONPatch
			response.Patch, response.PatchType = patch, &kind
		}
		review.Request, review.Response = nil, response
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review) // the API server is gone
	})
}

func statusOf(err error) *metav1.Status {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		of := status.Status()
		return &of
	}
	return &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: err.Error()}
}

// admit returns the patch for the changes that the plugin makes. It compares what the plugin is given with what it
// leaves, so fields that the types here do not know stay as they are.
func admit(ctx context.Context, request *admissionv1.AdmissionRequest,
	decide func(context.Context, admission.Attributes, admission.ObjectInterfaces) error,
) ([]byte, error) {
	pod, err := decode(request.Object)
	if err != nil {
		return nil, err
	}
	var old runtime.Object
	if len(request.OldObject.Raw) > 0 {
		if old, err = decode(request.OldObject); err != nil {
			return nil, err
		}
	}
	before, err := encode(pod)
	if err != nil {
		return nil, err
	}
	attributes := admission.NewAttributesRecord(pod, old, schema.GroupVersionKind(request.Kind), request.Namespace,
		request.Name,
		schema.GroupVersionResource(request.Resource), request.SubResource, admission.Operation(request.Operation), nil,
		request.DryRun != nil && *request.DryRun, userInfo(request.UserInfo))
	if err := decide(ctx, attributes, nil); err != nil {
		return nil, err
	}
	after, err := encode(pod)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(before, after)
	if err != nil || len(operations) == 0 {
		return nil, err
	}
	return json.Marshal(operations)
}

func decode(raw runtime.RawExtension) (*core.Pod, error) {
	external := &corev1.Pod{}
	if err := json.Unmarshal(raw.Raw, external); err != nil {
		return nil, err
	}
	pod := &core.Pod{}
	return pod, legacyscheme.Scheme.Convert(external, pod, nil)
}

func encode(pod *core.Pod) ([]byte, error) {
	external := &corev1.Pod{}
	if err := legacyscheme.Scheme.Convert(pod, external, nil); err != nil {
		return nil, err
	}
	return json.Marshal(external)
}

func userInfo(of authenticationv1.UserInfo) user.Info {
	extra := map[string][]string{}
	for key, values := range of.Extra {
		extra[key] = values
	}
	return &user.DefaultInfo{Name: of.Username, UID: of.UID, Groups: of.Groups, Extra: extra}
}
