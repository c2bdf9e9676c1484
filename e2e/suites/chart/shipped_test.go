package chart_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// ofGuard are the guard's policies and bindings among objects, without their labels.
func ofGuard(objects []*unstructured.Unstructured) map[string]any {
	found := map[string]any{}
	for _, object := range objects {
		kind, name := object.GetKind(), object.GetName()
		if strings.HasPrefix(kind, "ValidatingAdmissionPolicy") && !strings.HasPrefix(name, "sysctl-injector-own-") {
			object.SetLabels(nil)
			delete(object.Object, "status")
			unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
			found[kind+" "+name] = object.Object
		}
	}
	return found
}

func TestGuardIsTheOneThatIsShipped(t *testing.T) {
	shipped, err := os.ReadFile("../../../deploy/guard.yaml")
	must(t, err)
	want, got := ofGuard(decode(t, string(shipped))), ofGuard(decode(t, render(t, namespace, "")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guard (-deploy/guard.yaml +chart):\n%s", diff)
	}
	if len(want) == 0 {
		t.Error("deploy/guard.yaml has no policies")
	}
}

// The guard that the chart renders for an installation is the one that webhook/guard renders.
func TestGuardOfAnInstallation(t *testing.T) {
	const current, former = "registry.example.com:5000/mirror/busybox@sha256:" +
		digest, "docker.io/library/busybox:1.36"
	for name, test := range map[string]struct {
		set    string
		config guard.Config
	}{
		"in an upgrade": {
			"{initContainer: {image: '" + current + "'}, guard: {previousImages: ['" + former +
				"']}, guestHandlers: [kata, own-vm]}",
			guard.Config{Images: []string{current, former}, GuestHandlers: []string{"kata", "own-vm"}},
		},
		"without guest handlers": {
			"guestHandlers: []",
			guard.Config{Images: []string{former}, GuestHandlers: nil},
		},
		"with sysctls that all kubelets allow": {
			"kubeletSysctls: [net.core.somaxconn, net.ipv6.*]",
			guard.Config{Images: []string{former}, GuestHandlers: policy.DefaultGuestHandlers(),
				KubeletSysctls: []string{"net.core.somaxconn", "net.ipv6.*"}},
		},
		"with an image that is named twice": {
			"guard: {previousImages: ['" + former + "']}",
			guard.Config{Images: []string{former}, GuestHandlers: policy.DefaultGuestHandlers()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(guardOf(t, test.config),
				ofGuard(decode(t, render(t, elsewhere, test.set)))); diff != "" {
				t.Errorf("guard (-webhook/guard +chart):\n%s", diff)
			}
		})
	}
}

// The guard has the standards of the cluster's version.
func TestGuardOfEachVersion(t *testing.T) {
	for _, version := range []string{
		"v1.31.0", "v1.31.14-eks-1a2b3c", "v1.32.10", "v1.33.6-gke.1079000", "v1.34.0-alpha.1", "v1.34.4+k3s1",
		"v1.35.4", "v1.36.3", "v1.37.0-rc.0", "v1.37.2", "v1.38.0",
	} {
		t.Run(version, func(t *testing.T) {
			config := guard.Config{Images: []string{form.DefaultImage()}, GuestHandlers: policy.DefaultGuestHandlers(),
				KubernetesVersion: version}
			got := ofGuard(decode(t, render(t, elsewhere, "", "--kube-version", version)))
			if diff := cmp.Diff(guardOf(t, config), got); diff != "" {
				t.Errorf("guard (-webhook/guard +chart):\n%s", diff)
			}
		})
	}
}

// guardOf returns the guard as webhook/guard renders it, in the other namespace.
func guardOf(t *testing.T, config guard.Config) map[string]any {
	t.Helper()
	objects, err := guard.Render(config)
	must(t, err)
	manifest, err := guard.Manifest(objects)
	must(t, err)
	return ofGuard(decode(t, strings.ReplaceAll(string(manifest), namespace, elsewhere)))
}

// check compares an installation with the policies that the chart renders for it.
func TestBoundsOfAnInstallation(t *testing.T) {
	for _, configuration := range []string{inspect.DefaultConfiguration, "zz-last"} {
		var installed inspect.Guard
		for _, object := range decode(t, render(t, elsewhere, "webhook: {configurationName: "+configuration+"}")) {
			switch object.GetKind() {
			case "ValidatingAdmissionPolicy":
				var policy admissionregistrationv1.ValidatingAdmissionPolicy
				must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &policy))
				installed.Policies = append(installed.Policies, policy)
			case "ValidatingAdmissionPolicyBinding":
				var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
				must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &binding))
				installed.Bindings = append(installed.Bindings, binding)
			}
		}
		bounds, err := inspect.Bounds(elsewhere, configuration)
		must(t, err)
		for _, c := range inspect.JudgeBounds(installed, bounds) {
			if c.Status != inspect.Passed {
				t.Errorf("%s: %s", configuration, c.Message)
			}
		}
	}
}

// The other shipped objects are rendered unchanged, except for the release's labels and namespace.
func TestShippedObjects(t *testing.T) {
	objects := decode(t, render(t, elsewhere, "", "--include-crds"))
	for _, folder := range []string{"crds", "install", "policies", "profiles"} {
		entries, err := os.ReadDir("../../../templates/" + folder)
		must(t, err)
		for _, entry := range entries {
			content, err := os.ReadFile("../../../templates/" + folder + "/" + entry.Name())
			must(t, err)
			for _, want := range decode(t, string(bytes.ReplaceAll(content, []byte(namespace), []byte(elsewhere)))) {
				got := find(t, objects, want.GetKind(), want.GetName())
				if folder != "crds" {
					want.SetLabels(nil)
					got.SetLabels(nil)
				}
				got.SetAnnotations(want.GetAnnotations())
				if diff := cmp.Diff(want.Object, got.Object); diff != "" {
					t.Errorf("%s (-shipped +chart):\n%s", entry.Name(), diff)
				}
			}
		}
	}
}

// The chart gives the server the same permissions for its certificate as e2e/suites/certs does.
func TestCertificateRights(t *testing.T) {
	for file, source := range map[string]string{"rbac.yaml": "self-managed", "rbac-certmanager.yaml": "cert-manager"} {
		content, err := os.ReadFile("../certs/testdata/" + file)
		must(t, err)
		want, got := rightsFor(decode(t, string(content))), rightsFor(decode(t,
			render(t, namespace, "certificates: {source: "+source+"}")))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-e2e/suites/certs +chart):\n%s", source, diff)
		}
		if len(want) == 0 {
			t.Errorf("%s has no roles", file)
		}
	}
}

// rightsFor are the rules of the roles for the certificate, by kind.
func rightsFor(objects []*unstructured.Unstructured) map[string]any {
	found := map[string]any{}
	for _, object := range objects {
		if rules := object.Object["rules"]; rules != nil &&
			strings.HasPrefix(object.GetName(), "sysctl-injector-cert") {
			found[object.GetKind()] = rules
		}
	}
	return found
}
