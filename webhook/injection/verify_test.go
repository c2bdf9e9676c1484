package injection

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

// readOnly is the container that verifies.
func readOnly(args ...string) corev1.Container {
	return corev1.Container{
		Name: "sysctl-injector", Image: "docker.io/library/busybox:1.36", ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"sh", "-ec", templates.VerifyScript, "sysctl-injector"}, Args: args,
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: new(int64(65534)), RunAsGroup: new(int64(65534)), RunAsNonRoot: new(true),
			ReadOnlyRootFilesystem:   new(true),
			AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// Any name can be verified, on any kernel, without policy or grant, where Pod Security is at its strictest.
func TestVerify(t *testing.T) {
	w := validWorld()
	w.allow = nil
	w.annotate(v1alpha1.ModeAnnotation, "verify")
	w.sysctls("vm.max_map_count >= 262144\nkernel.core_pattern = core\nnet.core.somaxconn = 4096")
	outcome := w.decideIn(t, Config{Strategy: form.NativeFirst},
		map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	if outcome.Reason != ReasonInjected || outcome.Grant != nil || len(outcome.Warnings) > 0 {
		t.Fatalf("%s, grant %v, warnings %q: %s", outcome.Reason, outcome.Grant, outcome.Warnings, outcome.Message())
	}
	patched := apply(t, w.pod, outcome)
	if diff := cmp.Diff(readOnly("vm.max_map_count>=262144", "kernel.core_pattern=core", "net.core.somaxconn=4096"),
		patched.Spec.InitContainers[0]); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	const status = `{"version":"v1.2.3","kernel":"Shared","form":"verify",` +
		`"sysctls":["vm.max_map_count>=262144","kernel.core_pattern=core","net.core.somaxconn=4096"]}`
	if got := patched.Annotations[v1alpha1.StatusAnnotation]; got != status {
		t.Errorf("status\ngot  %s\nwant %s", got, status)
	}
	again := decideJSON(t, string(mustMarshal(patched)), Config{}, w)
	if again.Reason != ReasonAlreadyInjected || len(again.Operations) > 0 {
		t.Errorf("the second time: %s, %s", again.Reason, mustMarshal(again.Operations))
	}
}

func TestModes(t *testing.T) {
	w := validWorld()
	w.annotate(v1alpha1.ModeAnnotation, " set ")
	if outcome := w.decide(t, Config{}); outcome.Reason != ReasonInjected || outcome.Grant == nil {
		t.Errorf("mode set: %s, %v", outcome.Reason, outcome.Grant)
	}
	w.annotate(v1alpha1.ModeAnnotation, "check")
	const want = `InvalidAnnotation: metadata.annotations[sysctl-injector.dev/mode]: Unsupported value: "check": ` +
		`supported values: "set", "verify"`
	if got := w.decide(t, Config{}).Message(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Lines that `sysctl -w` cannot apply are left to the script, and all others of the pod with them.
func TestScripted(t *testing.T) {
	for _, test := range []struct {
		sysctls string
		args    []string
	}{
		{"net.core.somaxconn >= 1024\nkernel.sem = 1 2 3 4",
			[]string{"net.core.somaxconn>=1024", "kernel.sem=1 2 3 4"}},
		{"-net.netfilter.nf_conntrack_tcp_timeout_time_wait = 30",
			[]string{"-net.netfilter.nf_conntrack_tcp_timeout_time_wait=30"}},
	} {
		w := validWorld()
		w.sysctls(test.sysctls)
		outcome := w.decide(t, Config{})
		if outcome.Reason != ReasonInjected {
			t.Fatalf("%s: %s", outcome.Reason, outcome.Message())
		}
		container := injected()
		container.Command, container.Args = []string{"sh", "-ec", templates.SetScript, "sysctl-injector"}, test.args
		if diff := cmp.Diff(container, apply(t, w.pod, outcome).Spec.InitContainers[0]); diff != "" {
			t.Errorf("container (-want +got):\n%s", diff)
		}
	}
}

// A raised value is never native, and a native one does not need the script.
func TestFloorsAreNotNative(t *testing.T) {
	w := validWorld()
	w.sysctls("net.ipv4.tcp_keepalive_time >= 601\nnet.ipv4.tcp_fin_timeout = 30")
	patched := apply(t, w.pod, w.decide(t, Config{Strategy: form.NativeFirst}))
	if diff := cmp.Diff([]string{"net.ipv4.tcp_keepalive_time>=601"}, patched.Spec.InitContainers[0].Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}
