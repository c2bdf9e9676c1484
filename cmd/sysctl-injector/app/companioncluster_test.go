package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// servesResources starts an API server of Kubernetes 1.31 that serves some resources, by their group and version, and
// returns a kubeconfig for it.
func servesResources(t *testing.T, resources map[string]string) (kubeconfig string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_ = json.NewEncoder(w).Encode(apiversion.Info{GitVersion: "v1.31.4-eks-1a2b3c"})
			return
		}
		groupVersion := strings.TrimPrefix(r.URL.Path, "/apis/")
		resource, served := resources[groupVersion]
		if !served {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: groupVersion,
			APIResources: []metav1.APIResource{{Name: resource}},
		})
	}))
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"c": {Server: server.URL}},
		Contexts:       map[string]*api.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, kubeconfig); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func TestCompanionAsksTheClusterForItsBackend(t *testing.T) {
	const scc, vap, psp = "securitycontextconstraints", "validatingadmissionpolicies", "podsecuritypolicies"
	for _, test := range []struct {
		name      string
		resources map[string]string
		args      []string
		errOut    string
		kind      string // of the first object
	}{
		{"OpenShift", map[string]string{"security.openshift.io/v1": scc, "admissionregistration.k8s.io/v1": vap}, nil,
			"The cluster needs the backend scc: it has SecurityContextConstraints.\n", "SecurityContextConstraints"},
		{"Kubernetes", map[string]string{"admissionregistration.k8s.io/v1": vap}, nil,
			"The cluster needs the backend vap: it has ValidatingAdmissionPolicies.\n", "ClusterRole"},
		{"Kubernetes 1.24", map[string]string{"admissionregistration.k8s.io/v1": "validatingwebhookconfigurations",
			"policy/v1beta1": psp}, nil,
			"The cluster needs the backend psp: it has PodSecurityPolicies, and no ValidatingAdmissionPolicies.\n",
			"PodSecurityPolicy"},
		{"Kubernetes 1.25", nil, nil,
			"The cluster needs the backend vap: it has none of SecurityContextConstraints, " +
				"ValidatingAdmissionPolicies and PodSecurityPolicies, so nothing there asks for grants.\n",
			"ClusterRole"},
		{"the person says the same", map[string]string{"security.openshift.io/v1": scc}, []string{"--backend", "scc"},
			"", "SecurityContextConstraints"},
		{"the person says something else", map[string]string{"security.openshift.io/v1": scc},
			[]string{"--backend", "vap"},
			"Warning: the cluster needs --backend scc: it has SecurityContextConstraints\n", "ClusterRole"},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := slices.Concat([]string{"companion", "--kubeconfig", servesResources(t, test.resources), "-n",
				"shop", "--serviceaccount", "web", "net.core.somaxconn"}, test.args)
			code, out, errOut := run(t, "", args...)
			if code != 0 || errOut != test.errOut || !strings.Contains(strings.Split(out, "---")[0],
				"kind: "+test.kind+"\n") {
				t.Errorf("exit code %d, standard error %q, want %q; first a %s:\n%s", code, errOut, test.errOut,
					test.kind, out)
			}
		})
	}
}

// Kubelets of a 1.31 cluster may be of 1.28, which does not count tcp_rmem as safe: the init container sets it, and
// needs a grant.
func TestCompanionDecidesForTheVersionOfTheCluster(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  annotations:\n" +
		"    sysctl-injector.dev/sysctls: net.ipv4.tcp_rmem = 4096 131072 6291456\nspec: {containers: []}\n"
	asksCluster := []string{"--kubeconfig", servesResources(t, nil)}
	for _, test := range []struct {
		name   string
		args   []string
		grants bool
	}{
		{"of the cluster", asksCluster, true},
		{"that the person names", slices.Concat(asksCluster, []string{"--kubernetes-version", "1.37"}), false},
		{"without a cluster, the newest", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, pod, slices.Concat([]string{"companion", "--strategy", "native-first", "-f",
				"-"}, test.args)...)
			if got := strings.Contains(out, "net.ipv4.tcp_rmem"); code != 0 || got != test.grants {
				t.Errorf("exit code %d, grants %t, want %t: %s", code, got, test.grants, errOut)
			}
		})
	}
}

// The name of a namespace has no dots. That of a service account may have some.
func TestCompanionChecksNamespaceAndServiceAccount(t *testing.T) {
	const invalid = `error: --namespace: "a.b": `
	for _, args := range [][]string{
		{"companion", "-n", "a.b", "--serviceaccount", "web", "net.core.somaxconn"},
		{"companion", "-n", "a.b", "-f", "testdata/inject/verify.yaml"},
		{"inject", "-n", "a.b", "-f", "testdata/inject/verify.yaml"},
		{"convert", "-n", "a.b", "-f", "testdata/inject/verify.yaml"},
	} {
		code, out, errOut := run(t, "", args...)
		if code != exitUsage || out != "" || !strings.HasPrefix(errOut, invalid) {
			t.Errorf("%q: exit code %d: %s", args, code, errOut)
		}
	}
	if code, _, errOut := run(t, "", "companion", "--serviceaccount", "a.b", "net.core.somaxconn"); code != exitDone {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

func TestCompanionNeedsTheClusterThatIsNamed(t *testing.T) {
	kubeconfig := servesResources(t, nil)
	code, out, errOut := run(t, "", "companion", "--kubeconfig", kubeconfig, "--context", "other", "-n", "shop",
		"--serviceaccount", "web", "net.core.somaxconn")
	if code != 1 || out != "" || !strings.HasPrefix(errOut, "error: find the cluster: ") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}
