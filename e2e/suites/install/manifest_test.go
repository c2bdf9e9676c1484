package install_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Installs without helm, as docs/install.md describes.
func TestInstallManifest(t *testing.T) {
	const manifest = root + "/deploy/install.yaml"
	uninstalled(t)
	defer keepLogs(t)
	certManager.start(t)
	kubectl(t, "apply", "--server-side", "--force-conflicts", "-f", chart+"/crds")
	kubectl(t, "wait", "--for=condition=Established", "-f", chart+"/crds", "--timeout=1m")
	// Objects that a release of the chart has left still belong to it.
	kubectl(t, "apply", "--server-side", "--force-conflicts", "-f", manifest)
	serving(t, system, released)
	wantValue(t, "manifest")
	kubectl(t, "delete", "mutatingwebhookconfiguration", program)
	kubectl(t, "delete", "--ignore-not-found", "-f", manifest)
	if err := objects.Get(t.Context(), client.ObjectKey{Name: system},
		&corev1.Namespace{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the namespace of the servers is left: %v", err)
	}
}
