package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// answers are the handlers of an API server, by method and path.
type answers map[string]http.HandlerFunc

// serve starts an API server with these answers, and returns a kubeconfig for it. The server also has a version and
// the resources that the commands use.
func (a answers) serve(t *testing.T) (kubeconfig string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /version", answer(map[string]string{"gitVersion": "v1.37.0"}))
	for path, resources := range map[string][]metav1.APIResource{
		"/api/v1": {
			{Name: "pods", Kind: "Pod", Namespaced: true}, {Name: "events", Kind: "Event", Namespaced: true},
			{Name: "namespaces", Kind: "Namespace"},
		},
		"/apis/apps/v1": {{Name: "deployments", Kind: "Deployment", Namespaced: true}},
		"/apis/sysctl-injector.dev/v1alpha1": {
			{Name: "sysctlpolicies", Kind: "SysctlPolicy"}, {Name: "sysctlprofiles", Kind: "SysctlProfile"},
		},
	} {
		groupVersion := strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
		mux.Handle("GET "+path, answer(metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
			GroupVersion: groupVersion, APIResources: resources,
		}))
	}
	mux.Handle("GET /api", answer(metav1.APIVersions{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIVersions"}, Versions: []string{"v1"},
	}))
	mux.Handle("GET /apis", answer(metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"},
		Groups:   []metav1.APIGroup{group("apps", "v1"), group("sysctl-injector.dev", "v1alpha1")},
	}))
	for pattern, handler := range a {
		mux.Handle(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return kubeconfigOf(t, server.Listener.Addr().String())
}

// group is a group with one version.
func group(name, version string) metav1.APIGroup {
	served := metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + version, Version: version}
	return metav1.APIGroup{
		Name: name, Versions: []metav1.GroupVersionForDiscovery{served}, PreferredVersion: served,
	}
}

// answer returns a handler that answers with an object.
func answer(object any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object)
	}
}

// forbid answers that the person lacks a permission.
func forbid(message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: message,
		})
	}
}
