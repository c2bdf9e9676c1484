package injection

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// world is all that a decision depends on; a test changes one thing of the valid one.
type world struct {
	pod          corev1.Pod
	allow        []v1alpha1.AllowRule
	profiles     map[string]string
	runtimeClass *nodev1.RuntimeClass
	namespace    map[string]string // labels
	defaults     []*policy.Profile // besides the profiles above
	trials       []*policy.Policy  // besides the policy above
}

func validWorld() *world {
	return &world{
		pod: corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				GenerateName: "web-", Labels: map[string]string{"app": "web"},
				Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 4096\n"},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
		},
		allow:    []v1alpha1.AllowRule{{Names: []string{"*"}}},
		profiles: map[string]string{"nginx": "net.core.somaxconn = 32768\n", "redis": "net.core.somaxconn = 511\n"},
	}
}

func (w *world) annotate(key, value string) { w.pod.Annotations[key] = value }
func (w *world) sysctls(text string)        { w.annotate(v1alpha1.SysctlsAnnotation, text) }
func (w *world) guest()                     { w.runtimeClass = &nodev1.RuntimeClass{Handler: "kata"} }

func (w *world) rules(t testing.TB) *policy.Set {
	t.Helper()
	var policies []*policy.Policy
	if len(w.allow) > 0 {
		compiled, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "test"},
			Spec: v1alpha1.SysctlPolicySpec{Allow: w.allow}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		policies = append(policies, compiled)
	}
	var profiles []*policy.Profile
	for name, text := range w.profiles {
		compiled, errs := policy.CompileProfile(&v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.SysctlProfileSpec{Sysctls: text}})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		profiles = append(profiles, compiled)
	}
	return policy.NewSet(append(policies, w.trials...), append(profiles, w.defaults...))
}

func (w *world) decide(t testing.TB, config Config) Outcome {
	t.Helper()
	raw, err := json.Marshal(w.pod)
	if err != nil {
		t.Fatal(err)
	}
	return decideJSON(t, string(raw), config, w)
}

// decideIn decides in a namespace with labels.
func (w *world) decideIn(t testing.TB, config Config, labels map[string]string) Outcome {
	t.Helper()
	return decideTarget(t, string(mustMarshal(w.pod)), config, Target{Namespace: "shop", NamespaceLabels: labels,
		RuntimeClass: w.runtimeClass}, w)
}

func decideJSON(t testing.TB, raw string, config Config, w *world) Outcome {
	t.Helper()
	return decideTarget(t, raw, config, Target{Namespace: "shop", NamespaceLabels: w.namespace,
		RuntimeClass: w.runtimeClass}, w)
}

func decideTarget(t testing.TB, raw string, config Config, target Target, w *world) Outcome {
	t.Helper()
	config.Version, config.GuestHandlers = "v1.2.3", []string{"kata"}
	injector, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pod.Decode([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	outcome := injector.Inject(p, target, w.rules(t))
	record(t, raw, config, target, w, outcome)
	return outcome
}

// injected is the container that the valid world's pod is given.
func injected() corev1.Container {
	return corev1.Container{
		Name: "sysctl-injector", Image: "docker.io/library/busybox:1.36", ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"sysctl", "-w"}, Args: []string{"net.core.somaxconn=4096"},
		SecurityContext: &corev1.SecurityContext{
			Privileged: ptr.To(true), RunAsUser: ptr.To(int64(0)), RunAsGroup: ptr.To(int64(0)),
			RunAsNonRoot: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// injectedInUserNamespace is the container that the pod is given if it sets hostUsers: false.
func injectedInUserNamespace() corev1.Container {
	container := injected()
	container.SecurityContext = &corev1.SecurityContext{
		RunAsUser: ptr.To(int64(0)), RunAsGroup: ptr.To(int64(0)), RunAsNonRoot: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		AllowPrivilegeEscalation: ptr.To(false), ProcMount: ptr.To(corev1.UnmaskedProcMount),
		Capabilities:    &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_ADMIN"}},
		SeccompProfile:  &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
	}
	return container
}
