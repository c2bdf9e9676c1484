package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// kubeletSysctls are the names that the guard of this suite assumes all kubelets to allow.
var kubeletSysctls = []string{"net.core.somaxconn", "kernel.msg*"}

// TestGuardAdmitsWhatTheWebhookSetsNatively tries unsafe names in securityContext.sysctls. Pod Security rejects all
// of them.
func TestGuardAdmitsWhatTheWebhookSetsNatively(t *testing.T) {
	const status = `{"version":"v1","kernel":"Shared","sysctls":["net.core.somaxconn=1024","kernel.msgmax=8192"],` +
		`"native":["net.core.somaxconn=1024","kernel.msgmax=8192"]}`
	answered := map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024",
		v1alpha1.StatusAnnotation: status}
	with := func(key, value string) map[string]string {
		changed := map[string]string{key: value}
		for k, v := range answered {
			if _, is := changed[k]; !is {
				changed[k] = v
			}
		}
		if value == "" {
			delete(changed, key)
		}
		return changed
	}
	somaxconn, msgmax := corev1.Sysctl{Name: "net.core.somaxconn", Value: "1024"},
		corev1.Sysctl{Name: "kernel.msgmax", Value: "8192"}
	optedOut := held(api.LevelBaseline)
	delete(optedOut, v1alpha1.InjectLabel)
	for _, test := range []struct {
		name        string
		labels      labels
		annotations map[string]string
		sysctls     []corev1.Sysctl
		forbidden   string // names, of the message; none if the pod is admitted
	}{
		{"as the webhook writes it", held(api.LevelBaseline), answered, []corev1.Sysctl{somaxconn, msgmax}, ""},
		{"as the webhook writes it, at restricted", held(api.LevelRestricted), answered,
			[]corev1.Sysctl{somaxconn, msgmax}, ""},
		{"a value that the webhook did not write", held(api.LevelBaseline), answered,
			[]corev1.Sysctl{{Name: "net.core.somaxconn", Value: "1"}, msgmax}, "net.core.somaxconn"},
		{"a name that the webhook did not write", held(api.LevelBaseline), answered,
			[]corev1.Sysctl{somaxconn, msgmax, {Name: "kernel.msgmnb", Value: "1"}}, "kernel.msgmnb"},
		{"a name that is not declared", held(api.LevelBaseline), with(v1alpha1.StatusAnnotation,
			`{"native":["net.ipv4.ip_forward=1"]}`),
			[]corev1.Sysctl{{Name: "net.ipv4.ip_forward", Value: "1"}}, "net.ipv4.ip_forward"},
		{"a name that the init container sets", held(api.LevelBaseline),
			with(v1alpha1.StatusAnnotation, `{"sysctls":["net.core.somaxconn=1024"]}`), []corev1.Sysctl{somaxconn},
			"net.core.somaxconn"},
		{"of a pod that asks for nothing", held(api.LevelBaseline), with(v1alpha1.SysctlsAnnotation, ""),
			[]corev1.Sysctl{somaxconn}, "net.core.somaxconn"},
		{"of a pod that is left alone", held(api.LevelBaseline), with(v1alpha1.InjectAnnotation, "false"),
			[]corev1.Sysctl{somaxconn}, "net.core.somaxconn"},
		{"where the webhook does not see pods", optedOut, answered, []corev1.Sysctl{somaxconn, msgmax},
			"net.core.somaxconn, kernel.msgmax"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := plainPod()
			pod.Annotations = test.annotations
			pod.Spec.SecurityContext.Sysctls = test.sysctls
			_, err := clientset(t).CoreV1().Pods(newNamespace(t, test.labels)).Create(t.Context(), pod,
				metav1.CreateOptions{DryRun: dry})
			got, want := verdict(err), ""
			if test.forbidden != "" {
				want = fmt.Sprintf("forbidden sysctls (%s)", test.forbidden)
			}
			if !strings.Contains(got, want) || (got == "") != (want == "") {
				t.Errorf("got  %s\nwant …%s…", got, want)
			}
		})
	}
}
