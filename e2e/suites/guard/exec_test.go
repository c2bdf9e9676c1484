package guard_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const nobodyMay = `nobody may exec into container "sysctl-injector" or attach to it: it sets kernel parameters`

// TestGuardExec asks for streams of a container that does not run: a request that passes admission fails in the next
// step.
func TestGuardExec(t *testing.T) {
	admin := clientset(t).CoreV1().RESTClient()
	enforced, byDefault := newNamespace(t, held(api.LevelRestricted)),
		newNamespace(t, labels{v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	mistyped := newNamespace(t, labels{v1alpha1.EnforceLabel: "x", v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	open := newNamespace(t, labels{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: "privileged"})
	for _, namespace := range []string{enforced, byDefault, mistyped, open} {
		live(t, namespace, injectedPod())
	}
	const unscheduled = "pod %s does not have a host assigned"
	for _, test := range []struct {
		subresource, container, namespace, binding string // no binding: not rejected
	}{
		{"exec", "sysctl-injector", enforced, "sysctl-injector-exec"},
		{"attach", "sysctl-injector", enforced, "sysctl-injector-exec"},
		{"exec", "sysctl-injector", mistyped, "sysctl-injector-exec"},
		{"exec", "sysctl-injector", byDefault, "sysctl-injector-exec-by-default"},
		{"attach", "sysctl-injector", byDefault, "sysctl-injector-exec-by-default"},
		{"exec", "app", enforced, ""},
		{"attach", "app", enforced, ""},
		{"exec", "", enforced, ""}, // the API server takes the one ordinary container
		{"attach", "", enforced, ""},
		{"exec", "sysctl-injector", open, ""},
		// This subresource names no container, and ignores the parameter.
		{"portforward", "sysctl-injector", enforced, ""},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(fmt.Sprintf("%s %s %q, binding %q", method, test.subresource, test.container, test.binding),
				func(t *testing.T) {
					request := admin.Verb(method).Namespace(test.namespace).Resource("pods").Name("pod").
						SubResource(test.subresource).
						Param("command", "sh").Param("stdin", "true").Param("stdout", "true").Param("ports", "80")
					if test.container != "" {
						request.Param("container", test.container)
					}
					got, want := verdict(request.Do(t.Context()).Error()), fmt.Sprintf(unscheduled, "pod")
					if test.binding != "" {
						want = fmt.Sprintf(`pods "pod" is forbidden: ValidatingAdmissionPolicy `+
							`'sysctl-injector-exec' with binding '%s' denied request: %s`, test.binding, nobodyMay)
					}
					if got != want {
						t.Errorf("got  %s\nwant %s", got, want)
					}
				})
		}
	}
}

func TestGuardExecByKubectl(t *testing.T) {
	c := suite.Cluster(t)
	namespace := newNamespace(t, held(api.LevelBaseline))
	pod := injectedPod()
	pod.Annotations = labels{"kubectl.kubernetes.io/default-container": "sysctl-injector"}
	live(t, namespace, pod)
	for _, arguments := range [][]string{
		{"exec", "pod", "-c", "sysctl-injector", "--", "sh"},
		{"exec", "-it", "pod", "-c", "sysctl-injector", "--", "sh"},
		{"exec", "pod", "--", "sh"}, // by the annotation
		{"attach", "pod", "-c", "sysctl-injector"},
		{"attach", "pod", "-it", "-c", "sysctl-injector"},
		{"debug", "pod", "--image=busybox", "--target=sysctl-injector", "--profile=general"},
	} {
		t.Run(strings.Join(arguments, " "), func(t *testing.T) {
			output, err := c.Command(t.Context(), "kubectl", append([]string{"-n", namespace},
				arguments...)...).CombinedOutput()
			if want := map[bool]string{true: `must not set targetContainerName "sysctl-injector"`,
				false: nobodyMay}[arguments[0] == "debug"]; err == nil || !strings.Contains(string(output), want) {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}
