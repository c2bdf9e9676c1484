package app

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// An API server that fails is neither a healthy installation nor a missing permission.
func TestCheckOfAFailingCluster(t *testing.T) {
	kubeconfig := fakeCluster{version: "v1.37.2", answer: fails}.kubeconfig(t)
	code, out, errOut := run(t, "", "check", "--kubeconfig", kubeconfig)
	if code != 1 || !strings.HasSuffix(errOut, " checks failed\n") {
		t.Errorf("exit code %d, %q", code, errOut)
	}
	if !strings.Contains(out, "✗ the nodes could not be read: etcd is gone\n"+
		"    repeat the check. If it fails again, see the state of the API server:\n"+
		"    $ kubectl get --raw '/readyz?verbose'\n") || !strings.HasSuffix(out, " 0 warnings, 0 not checked\n") {
		t.Error(out)
	}
}

// With --wait, the command tries again until the API server works.
func TestCheckWaitsForAFailingCluster(t *testing.T) {
	var runs atomic.Int32
	kubeconfig := fakeCluster{version: "v1.37.2", answer: func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/mutatingwebhookconfigurations") {
			runs.Add(1)
		}
		if runs.Load() == 1 {
			fails(w, r)
		} else {
			forbids(w, r)
		}
	}}.kubeconfig(t)
	code, out, errOut := run(t, "", "check", "--kubeconfig", kubeconfig, "--wait", "1m")
	if code != 0 || runs.Load() != 2 || strings.Contains(out, "✗") {
		t.Errorf("exit code %d after %d runs: %s%s", code, runs.Load(), out, errOut)
	}
}

// A missing permission is not a failure of the cluster.
func TestCheckWithoutPermissions(t *testing.T) {
	kubeconfig := fakeCluster{version: "v1.37.2", answer: forbids}.kubeconfig(t)
	const unread = "! not checked: the nodes could not be read: "
	code, out, _ := run(t, "", "check", "--kubeconfig", kubeconfig)
	if code != 0 || strings.Contains(out, "✗") || !strings.Contains(out, unread) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// The labels of namespaces are checked even if nothing is known about the guard, and the command says which checks are
// not made.
func TestCheckOfNamespacesWithoutTheGuard(t *testing.T) {
	const (
		invalid = `✗ namespace/shop: metadata.labels[sysctl-injector.dev/inject]: Invalid value: "true": `
		valid   = "✓ 1 namespace is enrolled, with valid labels\n"
	)
	for _, test := range []struct {
		name    string
		cluster fakeCluster
		want    []string
	}{
		{"which may not be read",
			fakeCluster{version: "v1.37.2", answer: lists(forbids, labelled("shop", "inject=true"))},
			[]string{"\nnamespaces\n" + invalid, "! not checked: the guard could not be read: "}},
		{"on Kubernetes 1.24", fakeCluster{version: "v1.24.17", lacks: "validatingadmissionpolicies",
			answer: lists(forbids, labelled("shop", "inject=enabled"))},
			[]string{"\nnamespaces\n" + valid + "! not checked: this cluster has no guard, which would enforce the " +
				"standards of namespaces\n    the checks of Kubernetes say why\n"}},
		{"of a version that has none", fakeCluster{version: "v1.20.0",
			answer: lists(func(w http.ResponseWriter, r *http.Request) {
				switch path := r.URL.Path; {
				case strings.Contains(path, "/validatingadmissionpolic"):
					listsNothing(w, r)
				case strings.Contains(path, "/deployments/"):
					http.NotFound(w, r)
				default:
					forbids(w, r)
				}
			}, labelled("shop", "inject=enabled"))},
			[]string{"\nnamespaces\n" + valid + "! not checked: this cluster has no guard, which would enforce the " +
				"standards of namespaces\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, out, errOut := run(t, "", "check", "--kubeconfig", test.cluster.kubeconfig(t), "-n",
				inspect.SystemNamespace)
			for _, want := range test.want {
				if _, of, _ := strings.Cut(out, "\npolicies\n"); !strings.Contains(of, want) {
					t.Errorf("%s\nlacks %q\n%s", out, want, errOut)
				}
			}
		})
	}
}

// Unused grants are found without permission to list the pods.
func TestCheckOfGrantsWithoutThePods(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		kind, isList := map[string]string{
			"clusterroles": "ClusterRoleList", "rolebindings": "RoleBindingList",
		}[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		switch {
		case strings.Contains(r.URL.Path, "/deployments/"):
			http.NotFound(w, r) // so the settings are the defaults
			return
		case !isList:
			forbids(w, r)
			return
		}
		writeJSON(w, http.StatusOK, metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{Kind: kind,
			APIVersion: "rbac.authorization.k8s.io/v1"}})
	}
	kubeconfig := fakeCluster{version: "v1.37.2", answer: lists(answer)}.kubeconfig(t)
	_, out, _ := run(t, "", "check", "--kubeconfig", kubeconfig, "-n", inspect.SystemNamespace)
	_, of, _ := strings.Cut(out, "\ngrants\n")
	if !strings.HasPrefix(of, "! not checked: the injected pods could not be read: ") ||
		!strings.Contains(of, "\n✓ no grant is left over (0 bindings)\n") {
		t.Error(out)
	}
}

// -n is the namespace of the installation. Of another one, the command would say that nothing is installed there.
func TestCheckInANamespaceWithoutTheInstallation(t *testing.T) {
	installed := admissionregistrationv1.MutatingWebhookConfigurationList{
		TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1",
			Kind: "MutatingWebhookConfigurationList"},
		Items: []admissionregistrationv1.MutatingWebhookConfiguration{{Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: admission.PodsEntry, ClientConfig: admissionregistrationv1.WebhookClientConfig{
				Service: &admissionregistrationv1.ServiceReference{Namespace: "tuning"}},
		}}}},
	}
	kubeconfig := fakeCluster{version: "v1.37.2", answer: func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/mutatingwebhookconfigurations"):
			writeJSON(w, http.StatusOK, installed)
		case strings.HasSuffix(r.URL.Path, "/validatingwebhookconfigurations"):
			listsNothing(w, r)
		default:
			http.NotFound(w, r)
		}
	}}.kubeconfig(t)
	code, out, errOut := run(t, "", "check", "--kubeconfig", kubeconfig, "-n", "shop", "--wait", "10m")
	if want := "error: --namespace: the installation is in namespace \"tuning\"\n" +
		"See 'sysctl-injector check --help'.\n"; code != exitUsage || out != "" || !strings.HasSuffix(errOut, want) {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}

// Without permission to read the webhook configurations, the namespace of an installation is not known. That nothing
// is in the default one proves nothing.
func TestCheckWithoutTheNamespaceOfTheInstallation(t *testing.T) {
	kubeconfig := fakeCluster{version: "v1.37.2", answer: func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/deployments/"):
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/endpointslices"), strings.Contains(r.URL.Path, "/validatingadmissionpolic"):
			listsNothing(w, r)
		default:
			forbids(w, r)
		}
	}}.kubeconfig(t)
	code, out, _ := run(t, "", "check", "--kubeconfig", kubeconfig)
	const unknown = "its namespace is not known, name it with -n: "
	if code != 0 || strings.Contains(out, "✗") || strings.Count(out, unknown) < 3 ||
		!strings.Contains(out, "! not checked: the Deployment could not be read: "+unknown) {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// Without the RuntimeClasses and the server's flags, the checks that depend on them are not made.
func TestCheckOfNodesWithoutTheirSettings(t *testing.T) {
	nodes := corev1.NodeList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NodeList"}, Items: []corev1.Node{{}}}
	kubeconfig := fakeCluster{version: "v1.37.2", answer: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/nodes" {
			writeJSON(w, http.StatusOK, nodes)
			return
		}
		forbids(w, r)
	}}.kubeconfig(t)
	_, out, _ := run(t, "", "check", "--kubeconfig", kubeconfig)
	for _, unwanted := range []string{"form guest", "kubeletSysctls"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("it says something of %q:\n%s", unwanted, out)
		}
	}
	if strings.Count(out, "! not checked: the RuntimeClasses could not be read") == 0 ||
		!strings.Contains(out, "! not checked: the settings of the server could not be read") {
		t.Error(out)
	}
}

// The guard is not compared with flags that no guard has, and that is not the cluster's fault.
func TestCheckOfAGuardWithInvalidFlags(t *testing.T) {
	server := appsv1.Deployment{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}}
	server.Spec.Template.Spec.Containers = []corev1.Container{{Args: []string{"--guest-handlers=Kata"}}}
	kubeconfig := fakeCluster{version: "v1.37.2", answer: func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/deployments/"):
			writeJSON(w, http.StatusOK, server)
		case strings.Contains(r.URL.Path, "/validatingadmissionpolic"):
			listsNothing(w, r)
		default:
			forbids(w, r)
		}
	}}.kubeconfig(t)
	code, out, _ := run(t, "", "check", "--kubeconfig", kubeconfig)
	if code != 1 || !strings.Contains(out, "\nguard\n✗ the guard is not compared, because flags of the server are "+
		"invalid: GuestHandlers[0]: Invalid value: \"Kata\": ") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
