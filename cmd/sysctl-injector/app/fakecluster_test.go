package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// fakeCluster stands in for an API server in a state that a real one does not keep: it fails, or it forbids. It serves
// the discovery itself.
type fakeCluster struct {
	version string
	// lacks is a resource that it does not serve.
	lacks  string
	answer http.HandlerFunc
}

// fakeKinds are the kinds that the fake cluster serves, by group and version.
var fakeKinds = map[string][]string{
	"v1": {"Namespace", "Node", "Pod", "Secret"},
	"admissionregistration.k8s.io/v1": {
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
		"ValidatingAdmissionPolicyBinding",
	},
	"apiextensions.k8s.io/v1":      {"CustomResourceDefinition"},
	"apps/v1":                      {"Deployment"},
	"authentication.k8s.io/v1":     {"SelfSubjectReview"},
	"authorization.k8s.io/v1":      {"SelfSubjectAccessReview", "SubjectAccessReview"},
	"coordination.k8s.io/v1":       {"Lease"},
	"discovery.k8s.io/v1":          {"EndpointSlice"},
	"node.k8s.io/v1":               {"RuntimeClass"},
	"rbac.authorization.k8s.io/v1": {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
	"sysctl-injector.dev/v1alpha1": {"SysctlPolicy", "SysctlProfile"},
}

// kubeconfig starts the cluster, and returns its kubeconfig.
func (c fakeCluster) kubeconfig(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	return kubeconfigOf(t, strings.TrimPrefix(server.URL, "http://"))
}

func (c fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	kinds, isDiscovery := fakeKinds[name]
	switch {
	case r.URL.Path == "/version":
		writeJSON(w, http.StatusOK, map[string]string{"gitVersion": c.version})
	case name == "":
		writeJSON(w, http.StatusOK, discovered(r.URL.Path))
	case isDiscovery:
		writeJSON(w, http.StatusOK, c.resources(kinds))
	case strings.HasPrefix(name, "cert-manager.io/"):
		http.NotFound(w, r)
	default:
		c.answer(w, r)
	}
}

// discovered lists the core API's versions, or all other groups.
func discovered(path string) any {
	if path == "/api" {
		return metav1.APIVersions{Versions: []string{"v1"}}
	}
	var groups metav1.APIGroupList
	for name := range fakeKinds {
		group, version, isGroup := strings.Cut(name, "/")
		if isGroup {
			served := metav1.GroupVersionForDiscovery{GroupVersion: name, Version: version}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, PreferredVersion: served,
				Versions: []metav1.GroupVersionForDiscovery{served}})
		}
	}
	return groups
}

func (c fakeCluster) resources(kinds []string) metav1.APIResourceList {
	var list metav1.APIResourceList
	for _, kind := range kinds {
		name := strings.ToLower(kind) + "s"
		switch {
		case strings.HasSuffix(kind, "Policy"):
			name = strings.TrimSuffix(strings.ToLower(kind), "y") + "ies"
		case strings.HasSuffix(kind, "Class"):
			name = strings.ToLower(kind) + "es"
		}
		if name == c.lacks {
			continue
		}
		isNamespaced := kind == "Pod" || kind == "Secret" || kind == "Deployment" || kind == "Lease" ||
			kind == "EndpointSlice" || kind == "Role" || kind == "RoleBinding"
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: name, Kind: kind,
			Namespaced: isNamespaced, Verbs: metav1.Verbs{"get", "list", "create"}})
	}
	return list
}

func writeJSON(w http.ResponseWriter, code int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(content)
}

// fails answers like an API server without its etcd.
func fails(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusInternalServerError, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Reason: metav1.StatusReasonInternalError, Code: http.StatusInternalServerError, Message: "etcd is gone",
	})
}

// forbids answers like an API server to a person without permissions.
func forbids(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	status := apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "",
		errors.New("no role allows it")).Status()
	status.APIVersion, status.Kind = "v1", "Status"
	writeJSON(w, http.StatusForbidden, status)
}

// listsNothing answers with an empty list.
func listsNothing(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, metav1.List{TypeMeta: metav1.TypeMeta{Kind: "List", APIVersion: "v1"}})
}

// lists returns an answer that lists these namespaces, and leaves all other requests to next.
func lists(next http.HandlerFunc, namespaces ...corev1.Namespace) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces" {
			next(w, r)
			return
		}
		writeJSON(w, http.StatusOK, corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1",
			Kind: "NamespaceList"}, Items: namespaces})
	}
}

func labelled(name string, labels ...string) corev1.Namespace {
	n := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		n.Labels["sysctl-injector.dev/"+key] = value
	}
	return n
}
