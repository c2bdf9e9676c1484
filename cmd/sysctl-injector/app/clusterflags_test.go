package app

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Each command prints the warnings of the API server, each text once.
func TestWarningsOfTheAPIServer(t *testing.T) {
	const text = `existing pods in namespace "shop" violate the new PodSecurity enforce level "restricted:latest"`
	warn := func(w http.ResponseWriter) {
		w.Header().Add("Warning", `299 - "`+strings.ReplaceAll(text, `"`, `\"`)+`"`)
	}
	shop := corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{
			"sysctl-injector.dev/inject": "enabled", "sysctl-injector.dev/enforce": "restricted",
			"pod-security.kubernetes.io/enforce": "privileged",
		}, Annotations: map[string]string{"sysctl-injector.dev/former-enforce": "restricted"}},
	}
	kubeconfig := answers{
		"GET /api/v1/namespaces/shop": answer(shop),
		"PATCH /api/v1/namespaces/shop": func(w http.ResponseWriter, r *http.Request) {
			warn(w)
			warn(w)
			answer(shop)(w, r)
		},
	}.serve(t)
	code, out, errOut := run(t, "", "unenroll", "shop", "--yes", "--kubeconfig", kubeconfig)
	if want := "Warning: " + text + "\n"; code != 0 || !strings.HasPrefix(out, "namespace/shop unenrolled\n") ||
		strings.Count(errOut, want) != 1 {
		t.Errorf("exit code %d, output %q, error %q", code, out, errOut)
	}
}

// The API server's warnings would spoil the terminal while a person types.
func TestCompletionPrintsNoWarnings(t *testing.T) {
	kubeconfig := answers{"GET /api/v1/namespaces": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Warning", `299 - "old"`)
		answer(corev1.NamespaceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"},
			Items:    []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}},
		})(w, r)
	}}.serve(t)
	code, out, errOut := run(t, "", "__complete", "unenroll", "--kubeconfig", kubeconfig, "")
	if code != 0 || !strings.HasPrefix(out, "shop\n") || strings.Contains(errOut, "old") {
		t.Errorf("exit code %d, output %q, error %q", code, out, errOut)
	}
}

// Without a kubeconfig, version asks no cluster, unless a flag selects one.
func TestVersionAsksTheSelectedCluster(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing"))
	if code, _, errOut := run(t, "", "version"); code != 0 || errOut != "" {
		t.Errorf("without flags: exit code %d, error %q", code, errOut)
	}
	for _, flag := range []string{"--cluster=c", "--context=c", "--user=u", "--as=me", "--as-group=us"} {
		code, out, errOut := run(t, "", "version", flag)
		if code != 1 || !strings.HasPrefix(out, "sysctl-injector ") ||
			!strings.HasPrefix(errOut, "error: find the cluster: there is no kubeconfig; ") {
			t.Errorf("%s: exit code %d, output %q, error %q", flag, code, out, errOut)
		}
		if code, _, errOut := run(t, "", "version", flag, "--client"); code != 0 {
			t.Errorf("%s --client: exit code %d, error %q", flag, code, errOut)
		}
	}
}

// Each flag that selects a cluster or a user makes explain ask the cluster.
func TestEachClusterFlagAsksTheCluster(t *testing.T) {
	t.Setenv("KUBECONFIG", kubeconfigOf(t, "127.0.0.1:1"))
	for _, flag := range []string{"--cluster=c", "--context=c", "--user=u", "--as=me", "--as-group=us"} {
		code, _, errOut := run(t, "", "explain", "net.core.somaxconn", flag)
		if code != 1 || strings.Contains(errOut, "No cluster was asked") {
			t.Errorf("%s: exit code %d, error %q", flag, code, errOut)
		}
	}
}
