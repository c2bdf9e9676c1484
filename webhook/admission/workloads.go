package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Workloads returns the handler for workloads. It admits every one, with the decision on its pod template as
// warnings, so that the person at the terminal sees what otherwise only the events of a ReplicaSet tell.
func (h *Handler) Workloads() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.respond(w, r, h.answerWorkload) })
}

// workloadReview is what the handler needs of an AdmissionReview of a workload.
type workloadReview struct {
	metav1.TypeMeta
	Request struct {
		UID       string                  `json:"uid"`
		Kind      metav1.GroupVersionKind `json:"kind"`
		Namespace string                  `json:"namespace"`
		Name      string                  `json:"name"`
		Object    json.RawMessage         `json:"object"`
	} `json:"request"`
}

// answerWorkload returns the review that answers the one in body. An error says that body is not a review of a
// workload.
func (h *Handler) answerWorkload(ctx context.Context, body []byte) ([]byte, error) {
	var review workloadReview
	var err error
	if h.inTurn(ctx, len(body), func() { err = json.Unmarshal(body, &review) }) != nil {
		return nil, errBusy
	}
	request := review.Request
	if err == nil && (review.APIVersion != apiVersion || review.Kind != kind || request.UID == "" ||
		len(request.UID) > maxUID || request.Object == nil) {
		err = errors.New("it is of another type, or without request.uid or request.object")
	}
	// Objects of other kinds could contain any number of pod templates.
	if err == nil && workload.Find(apiVersionOf(request.Kind), request.Kind.Kind) == nil {
		err = fmt.Errorf("%.64q is not a kind of workload", request.Kind.Kind)
	}
	if err != nil {
		return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("not an AdmissionReview of a workload: %s", err)}
	}
	var warnings []string
	var templates []template
	err = h.inTurn(ctx, len(body), func() { templates, warnings = templatesOf(&review) })
	for i := 0; i < len(templates) && err == nil; i++ {
		err = h.locate(ctx, templates[i].pod, &templates[i].target, true)
	}
	if err == nil {
		err = h.inTurn(ctx, len(body), func() { warnings = append(warnings, h.templateWarnings(templates)...) })
	}
	if err != nil {
		return nil, &httpError{http.StatusInternalServerError, err.Error()} // the API server goes on without warnings
	}
	// Not counted among the decisions on pods: a warning is no rejection.
	h.Log.InfoContext(ctx, "Looked at workload", keyNamespace, truncate(request.Namespace, maxName), keyOwnerKind,
		truncate(request.Kind.Kind, maxName),
		keyOwner, truncate(request.Name, maxName), keyWarnings, len(warnings))
	return decision{AdmissionResponse: &admissionv1.AdmissionResponse{
		UID: types.UID(request.UID), Allowed: true, Warnings: truncateWarnings(warnings),
	}}.encode()
}

// maxKeys is the number of keys of a workload that are checked.
const maxKeys = 64

func apiVersionOf(kind metav1.GroupVersionKind) string {
	return metav1.GroupVersion{Group: kind.Group, Version: kind.Version}.String()
}

// template is a pod template of a workload.
type template struct {
	pod    *pod.Pod
	target injection.Target
}

// templatesOf returns the pod templates of a workload, and warnings about the workload itself.
func templatesOf(review *workloadReview) (templates []template, warnings []string) {
	request := review.Request
	gvk := request.Kind
	object := inspect.Object{
		APIVersion: apiVersionOf(gvk), Kind: gvk.Kind, JSON: gjson.ParseBytes(request.Object),
	}
	locations := new(workload.Finder).Find(object.APIVersion, object.Kind, object.JSON)
	for _, f := range inspect.FirstKeys(maxKeys, object, locations) {
		warnings = append(warnings, f.Reason+": "+f.Err.Error())
	}
	for _, location := range locations {
		p, err := pod.Decode([]byte(workload.At(object.JSON, location.Path).Raw))
		if err != nil {
			return templates, append(warnings, "the pods of this workload cannot be read: "+err.Error())
		}
		templates = append(templates, template{p,
			injection.Target{Namespace: request.Namespace, Template: workload.FieldPath(location.Path)}})
	}
	return templates, warnings
}

// templateWarnings returns what a person should know about the pods of a workload.
func (h *Handler) templateWarnings(templates []template) []string {
	var warnings []string
	for _, t := range templates {
		outcome := h.outcome(t.pod, t.target)
		for _, violation := range outcome.Violations {
			warnings = append(warnings, "the pods of this workload will be rejected: "+
				violation.Reason+": "+violation.Err.Error())
		}
		warnings = append(warnings, outcome.Warnings...)
		warnings = append(warnings, h.nativeWarnings(t)...)
	}
	return warnings
}

// nativeWarnings warns of the native sysctls that some kubelets reject.
func (h *Handler) nativeWarnings(t template) (warnings []string) {
	var unsafe, newer []string
	for _, name := range h.Injector.RejectedByKubelets(t.pod) {
		if since := sysctl.Lookup(name).SafeSince; since != "" {
			newer = append(newer, fmt.Sprintf("%s (safe since Kubernetes %s)", name, since))
		} else {
			unsafe = append(unsafe, name)
		}
	}
	path := t.target.Template.Child("spec", "securityContext", "sysctls")
	if len(unsafe) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s: kubelets reject %s, which is not a safe sysctl, unless "+
			"--allowed-unsafe-sysctls has it", path, strings.Join(unsafe, ", ")))
	}
	if len(newer) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s: older kubelets reject %s, unless --allowed-unsafe-sysctls has it",
			path, strings.Join(newer, ", ")))
	}
	return warnings
}
