package admission

import (
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// The type of a review (k8s.io/api/admission/v1).
const (
	apiVersion = "admission.k8s.io/v1"
	kind       = "AdmissionReview"
)

// review is what the handler needs of an AdmissionReview.
type review struct {
	bytes            int // its size
	apiVersion, kind string

	uid         string
	resource    resource
	subResource string
	operation   string
	namespace   string
	dryRun      bool
	// mayHaveDefaults: the API server says that profiles may apply to the pod though it does not name them.
	mayHaveDefaults bool

	pod    *pod.Pod // nil if the review has no object
	podErr error    // why it could not be read
}

type resource struct{ group, version, resource string }

var readFields = scan.Object(scan.Fields[review]{
	"apiVersion": scan.Text(func(r *review) *string { return &r.apiVersion }, apiVersion),
	"kind":       scan.Text(func(r *review) *string { return &r.kind }, kind),
	"request": scan.Object(scan.Fields[review]{
		"uid": scan.Text(func(r *review) *string { return &r.uid }),
		"resource": scan.Object(scan.Fields[review]{
			"group":    scan.Text(func(r *review) *string { return &r.resource.group }, ""),
			"version":  scan.Text(func(r *review) *string { return &r.resource.version }, "v1"),
			"resource": scan.Text(func(r *review) *string { return &r.resource.resource }, "pods"),
		}),
		"subResource": scan.Text(func(r *review) *string { return &r.subResource }),
		"operation":   scan.Text(func(r *review) *string { return &r.operation }, "CREATE"),
		"namespace":   scan.Text(func(r *review) *string { return &r.namespace }),
		"dryRun":      scan.Boolean(func(r *review) *bool { return &r.dryRun }),
		"object":      readPod,
	}),
})

// readPod reads the pod in the same pass. A review with an invalid pod can still be answered.
func readPod(r *review, c *scan.Cursor) {
	r.podErr = c.Isolate(func() { r.pod = pod.Read(c) })
}

// misdirectedError means that a review is not about the creation of a pod.
type misdirectedError struct{ what string }

func (e misdirectedError) Error() string {
	return fmt.Sprintf("this webhook decides on the creation of pods only, and was asked about %s; "+
		"correct the rules of the MutatingWebhookConfiguration", e.what)
}

// readReview reads the JSON of an AdmissionReview. With a misdirectedError it still returns a review to answer; with
// any other error there is none.
func readReview(body []byte) (*review, error) {
	r := &review{bytes: len(body)}
	if err := scan.Read(body, r, readFields); err != nil {
		return nil, fmt.Errorf("not an AdmissionReview: %w", err)
	}
	if r.apiVersion != apiVersion || r.kind != kind {
		return nil, fmt.Errorf("not an AdmissionReview that this webhook reads (apiVersion %s): it says apiVersion "+
			"%.64q, kind %.64q", apiVersion, r.apiVersion, r.kind)
	}
	if r.uid == "" {
		return nil, errors.New("not an AdmissionReview: it has no request.uid")
	}
	if len(r.uid) > maxUID {
		return nil, fmt.Errorf("not an AdmissionReview: its request.uid is longer than %d bytes", maxUID)
	}
	what := r.resource.resource
	if r.resource.group != "" {
		what += "." + r.resource.group
	}
	if r.subResource != "" {
		what += "/" + r.subResource
	}
	switch {
	case what != "pods" || r.resource.version != "v1" || r.operation != string(admissionv1.Create):
		return r, misdirectedError{fmt.Sprintf("the operation %.32q on %.128q, version %.32q", r.operation, what,
			r.resource.version)}
	case r.namespace == "" || r.pod == nil:
		return r, misdirectedError{"a pod without a namespace or without an object"}
	}
	return r, nil
}
