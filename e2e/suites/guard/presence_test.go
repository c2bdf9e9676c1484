package guard_test

import (
	"fmt"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Parts of the presence rule's messages.
const (
	presence = "ValidatingAdmissionPolicy 'sysctl-injector-presence' with binding '%s' denied request: " +
		"the pod asks for sysctls, and nothing would set them: %s. " +
		`To start the pod without its sysctls, give it the annotation sysctl-injector.dev/inject: "false"`
	unseen = "the webhook of sysctl-injector did not see this pod. It does not answer, or another webhook added the " +
		"annotation where the API server did not ask again. Try again (controllers do so by themselves); if it stays " +
		"so, an administrator can find out why: kubectl -n sysctl-injector-system get pods,endpointslices"
	notEnrolled = `namespace "%[1]s" is not enrolled, so the webhook does not see its pods. An ` +
		`administrator can run: ` +
		"kubectl label --overwrite namespace %[1]s sysctl-injector.dev/inject=enabled"
)

// A pod that asks for sysctls and was not answered by the webhook is rejected, in every namespace in which the webhook
// is, or should be, called.
func TestGuardPresenceByNamespace(t *testing.T) {
	const (
		byInject  = "sysctl-injector-presence"
		byEnforce = "sysctl-injector-presence-not-opted-in"
	)
	inject, enforce := v1alpha1.InjectLabel, v1alpha1.EnforceLabel
	for _, test := range []struct {
		name          string
		labels        labels
		binding, want string // of the rejection; none: the pod is admitted
	}{
		{"an enrolled namespace", labels{inject: "enabled"}, byInject, unseen},
		{"an enrolled namespace with a standard", held(api.LevelRestricted), byInject, unseen},
		{"an enrolled namespace without a standard", labels{inject: "enabled", enforce: "privileged"},
			byInject, unseen},
		{"a label with another value", labels{inject: "disabled"}, byInject, notEnrolled},
		{"a namespace that lost the label", labels{enforce: "baseline"}, byEnforce, notEnrolled},
		{"a namespace that lost the label, without a standard", labels{enforce: "privileged"}, "", ""},
		{"a namespace that is none of ours", nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t, test.labels)
			pod := plainPod()
			pod.Annotations = labels{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}
			want := ""
			if test.binding != "" {
				cause := test.want
				if cause == notEnrolled {
					cause = fmt.Sprintf(notEnrolled, namespace)
				}
				want = `pods "pod" is forbidden: ` + fmt.Sprintf(presence, test.binding, cause)
			}
			if got := verdict(createIn(t, namespace, pod)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := verdict(createIn(t, namespace, plainPod())); got != "" {
				t.Errorf("a pod that asks for nothing: %s", got)
			}
		})
	}
}

func TestGuardPresenceByPod(t *testing.T) {
	namespace := newNamespace(t, held(api.LevelRestricted))
	const (
		sysctls, profiles = v1alpha1.SysctlsAnnotation, v1alpha1.ProfilesAnnotation
		inject, status    = v1alpha1.InjectAnnotation, v1alpha1.StatusAnnotation
	)
	for _, test := range []struct {
		name        string
		annotations labels
		rejected    bool
	}{
		{"asks for nothing", nil, false},
		{"has annotations of others", labels{"example.com/sysctls": "a"}, false},
		{"asks for a sysctl", labels{sysctls: "net.core.somaxconn = 1024"}, true},
		{"asks for what cannot be read", labels{sysctls: ""}, true},
		{"asks for a profile", labels{profiles: "nginx"}, true},
		{"asks for no profile", labels{profiles: " "}, false},
		{"opts out", labels{sysctls: "net.core.somaxconn = 1024", profiles: "nginx", inject: "false"}, false},
		{"opts out, with blanks around it", labels{sysctls: "net.core.somaxconn = 1024", inject: " false\n"}, false},
		{"opts in", labels{sysctls: "net.core.somaxconn = 1024", inject: "true"}, true},
		{"opts out in other words", labels{sysctls: "net.core.somaxconn = 1024", inject: "no"}, true},
		{"was answered", labels{sysctls: "net.core.somaxconn = 1024", status: "{}"}, false},
		{"has an answer to nothing", labels{status: "{}"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := plainPod()
			pod.Annotations = test.annotations
			want := ""
			if test.rejected {
				want = `pods "pod" is forbidden: ` + fmt.Sprintf(presence, "sysctl-injector-presence", unseen)
			}
			if got := verdict(createIn(t, namespace, pod)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// The container and the native sysctls of the answer must still be in the pod. Another webhook may have removed them.
func TestGuardPresenceOfWhatWasAdded(t *testing.T) {
	namespace := newNamespace(t, held(api.LevelRestricted))
	const (
		byContainer = `{"version":"v1","kernel":"Shared","form":"privileged","sysctls":["net.core.somaxconn=1024"]}`
		byItself    = `{"version":"v1","kernel":"Shared","sysctls":["net.ipv4.ip_local_port_range=1024 ` +
			`65535","kernel.shm_rmid_forced=1"],"native":["net.ipv4.ip_local_port_range=1024 ` +
			`65535","kernel.shm_rmid_forced=1"]}`
		cause = ` is gone. The likely cause is another webhook, or a policy, that runs later and removes it; ` +
			`exempt it there, or have our webhook run last: webhook.configurationName="zz-sysctl-injector"`
	)
	native := func(names ...string) []corev1.Sysctl {
		var sysctls []corev1.Sysctl
		for _, name := range names {
			sysctls = append(sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
		return sysctls
	}
	for _, test := range []struct {
		name, status string
		sysctls      []corev1.Sysctl
		gone         string // none: the pod is admitted
	}{
		{"nothing", byContainer, nil, `the init container "sysctl-injector"`},
		{"native sysctls, and no container", byContainer, native("kernel.shm_rmid_forced"),
			`the init container "sysctl-injector"`},
		{"both native sysctls", byItself, native("net.ipv4.ip_local_port_range", "kernel.shm_rmid_forced"), ""},
		{"one of the native sysctls", byItself, native("kernel.shm_rmid_forced"),
			"spec.securityContext.sysctls of net.ipv4.ip_local_port_range"},
		{"neither", byItself, nil,
			"spec.securityContext.sysctls of net.ipv4.ip_local_port_range, kernel.shm_rmid_forced"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := plainPod()
			pod.Annotations = labels{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024",
				v1alpha1.StatusAnnotation: test.status}
			pod.Spec.SecurityContext.Sysctls = test.sysctls
			want := ""
			if test.gone != "" {
				want = `pods "pod" is forbidden: ` + fmt.Sprintf(presence, "sysctl-injector-presence", test.gone+cause)
			}
			if got := verdict(createIn(t, namespace, pod)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A live pod can be annotated and changed: the rule is about pods that are created.
func TestGuardPresenceOfLivePods(t *testing.T) {
	namespace := newNamespace(t, held(api.LevelBaseline))
	pods := clientset(t).CoreV1().Pods(namespace)
	pod := live(t, namespace, plainPod())
	for _, write := range []write{
		patch("an annotation", types.MergePatchType,
			`{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"net.core.somaxconn = 1"}}}`),
		patch("an image", types.StrategicMergePatchType,
			`{"spec":{"containers":[{"name":"app","image":"registry.example.com/app:2"}]}}`),
	} {
		if got := verdict(write.do(t.Context(), clientset(t), pod, nil)); got != "" {
			t.Errorf("%s: %s", write.name, got)
		}
	}
	got, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
	must(t, err)
	if want := (labels{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1"}); !maps.Equal(got.Annotations, want) {
		t.Errorf("annotations %v, want %v", got.Annotations, want)
	}
}
