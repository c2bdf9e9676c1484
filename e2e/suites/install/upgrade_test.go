package install_test

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// TestUpgrade changes versions, goes back, uninstalls and installs again, while pods are created all the time.
func TestUpgrade(t *testing.T) {
	installed(t)
	defer keepLogs(t)
	l := startLoad(t)

	// The guard accepts both init images while the servers are replaced one by one.
	const image, another = "docker.io/library/busybox:1.36", "registry.example.com/busybox:1.37"
	images := func(now, before string) []string {
		return []string{"--set=initContainer.image=" + now, "--set=guard.previousImages={" + before + "}"}
	}
	for _, change := range []struct {
		what    string
		version string
		do      func()
	}{
		{"helm upgrade, to another init image", next, func() { install(t, system, next, images(another, image)...) }},
		{"helm upgrade, back to the former", former, func() { install(t, system, former, images(image, another)...) }},
		{"helm rollback", next, func() { helm(t, "rollback", program, "--namespace="+system) }},
	} {
		counted := l.during(t, func() {
			change.do()
			rolledOut(t, system, change.version)
			gone(t)
		})
		report(change.what, counted)
		wantNone(t, counted)
	}

	counted := l.during(t, func() { uninstall(t, system) })
	report("helm uninstall", counted)
	for message, n := range counted.rejected {
		// For a moment the webhook is gone and the guard still acts: it rejects pods that ask for sysctls.
		if !strings.Contains(message, "ValidatingAdmissionPolicy 'sysctl-injector-presence'") {
			t.Errorf("%d of %d pods were rejected: %s", n, counted.count(), message)
		}
	}
	wantUninstalled(t)

	counted = l.during(t, func() {
		install(t, system, former)
		serving(t, system, former)
	})
	report("helm install, with a namespace that is enrolled", counted)
	wantValue(t, "again")
}

// wantUninstalled checks that nothing is left that could reject a pod, and that policies and profiles are kept.
func wantUninstalled(t *testing.T) {
	t.Helper()
	ours := client.MatchingLabels{"app.kubernetes.io/name": program}
	for _, list := range []client.ObjectList{
		&admissionregistrationv1.MutatingWebhookConfigurationList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
	} {
		if n := count(t, list, ours); n != 0 {
			t.Errorf("%d of %T are left, want none", n, list)
		}
	}
	for _, list := range []client.ObjectList{&v1alpha1.SysctlPolicyList{}, &v1alpha1.SysctlProfileList{}} {
		if count(t, list) == 0 {
			t.Errorf("the objects of %T are gone, want them kept", list)
		}
	}
}

func count(t *testing.T, list client.ObjectList, options ...client.ListOption) int {
	t.Helper()
	must(t, objects.List(t.Context(), list, options...))
	return meta.LenList(list)
}
