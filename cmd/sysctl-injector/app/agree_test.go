package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/prometheus/client_golang/prometheus"
	operation "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// The webhook and the files take the same decision: a pod that goes through one comes out as by the other.
func TestWebhookAndFilesAgree(t *testing.T) {
	for _, path := range inputs(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, injected, _ := run(t, "", "inject", "-f", path)
		before, after := templatesOf(t, content), templatesOf(t, []byte(injected))
		for i, template := range before {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(path), i), func(t *testing.T) {
				if !jsonpatch.Equal(admit(t, content, template, nil), after[i].Pod) {
					t.Errorf("the webhook gives\n%s\nand the files\n%s", admit(t, content, template, nil), after[i].Pod)
				}
			})
		}
	}
}

func templatesOf(t *testing.T, content []byte) []manifest.Template {
	t.Helper()
	var templates []manifest.Template
	add := func(template manifest.Template) ([]operation.Operation, error) {
		templates = append(templates, template)
		return nil, nil
	}
	find := (&workloads{finder: &workload.Finder{}}).find
	if _, err := manifest.Rewrite(content, find, add); err != nil {
		t.Fatal(err)
	}
	return templates
}

// admit sends a template's pod through the webhook's handler, which has its grants made by granter, if that is not
// nil.
func admit(t *testing.T, content []byte, template manifest.Template, granter admission.Granter) []byte {
	t.Helper()
	objects, err := objectOptions{}.load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := manifest.Objects(content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := objects.AddReviewed(found); err != nil {
		t.Fatal(err)
	}
	options := containerOptions{image: form.DefaultImage(), guestHandlers: policy.DefaultGuestHandlers()}
	injector, err := options.injector()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := admission.New(admission.Config{
		Injector: injector, Source: objects, Metrics: admission.NewMetrics(prometheus.NewRegistry()),
		Log:     slog.New(slog.DiscardHandler),
		Granter: granter,
	})
	if err != nil {
		t.Fatal(err)
	}
	namespace := template.Namespace
	if namespace == "" {
		namespace = "shop"
	}
	body := fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",`+
		`"resource":{"version":"v1","resource":"pods"},"operation":"CREATE","namespace":%q,"object":%s}}`,
		namespace, template.Pod)
	request := httptest.NewRequest(http.MethodPost, admission.DefaultsPath, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || review.Response == nil ||
		!review.Response.Allowed {
		t.Fatalf("%s", answer.Body)
	}
	if review.Response.Patch == nil {
		return template.Pod
	}
	patch, err := jsonpatch.DecodePatch(review.Response.Patch)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(template.Pod)
	if err != nil {
		t.Fatal(err)
	}
	return patched
}
