package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
)

// TestGuardMessages compares whole messages about many violations with Pod Security's. TestGuardFixtures and
// TestGuardRandomPods compare them for each violation.
func TestGuardMessages(t *testing.T) {
	sides := newSides(t)
	everything := plainPod()
	everything.Spec.HostNetwork = true
	everything.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "kernel.msgmax",
		Value: "1"}}}
	everything.Spec.Volumes = []corev1.Volume{{Name: "root",
		VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
	for _, name := range []string{"web", "worker"} {
		container := plainContainer(name)
		container.SecurityContext = &corev1.SecurityContext{
			Privileged:     new(true),
			SELinuxOptions: &corev1.SELinuxOptions{Type: name + "_t", User: "a", Role: "b"},
			Capabilities:   &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN", "NET_RAW"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined},
			RunAsUser:      new(int64(0)),
		}
		everything.Spec.Containers = append(everything.Spec.Containers, container)
	}
	sides.compare(t, "everything", everything)

	many := plainPod()
	for n := range 39 {
		many.Spec.Containers[0].Ports = append(many.Spec.Containers[0].Ports,
			corev1.ContainerPort{Name: fmt.Sprintf("p%d", n), ContainerPort: int32(9000 - n),
				HostPort: int32(9000 - n)})
	}
	sides.compare(t, "39 ports", many)

	for _, test := range []struct {
		name string
		pod  func(*corev1.Pod)
		want string
	}{
		{"more than 40 values are not sorted", func(pod *corev1.Pod) {
			for n := range 60 {
				pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports,
					corev1.ContainerPort{Name: fmt.Sprintf("p%d", n), ContainerPort: int32(9060 - n),
						HostPort: int32(9060 - n)})
			}
		}, `"baseline:latest": hostPort (container "app" uses hostPorts 9060, 9059, 9058, `},
		{"what does not fit is rejected all the same", func(pod *corev1.Pod) {
			pod.Spec.Containers = nil
			for n := range 60 {
				container := plainContainer(fmt.Sprintf("%s-%d", strings.Repeat("x", 60), n))
				container.SecurityContext = &corev1.SecurityContext{Privileged: new(true), RunAsUser: new(int64(0))}
				container.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{User: "a"}
				pod.Spec.Containers = append(pod.Spec.Containers, container)
			}
		}, `"baseline:latest" (in ways that do not fit into one line of 5 KiB)`},
		{"so is what would break the line", func(pod *corev1.Pod) {
			pod.Spec.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "a\nb"}
		}, `"baseline:latest" (in ways that do not fit into one line of 5 KiB)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := plainPod()
			test.pod(pod)
			if got := sides.create(t.Context(), sides.guard[api.LevelBaseline],
				pod); !strings.HasPrefix(violations(got), test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestGuardManyContainers checks that the cost stays within the API server's limit, in pods that are larger than usual
// ones.
func TestGuardManyContainers(t *testing.T) {
	for _, level := range levels {
		namespace := newNamespace(t, held(level))
		for _, count := range []int{10, 100, 250} {
			pod := injectedPod()
			for n := range count {
				container := plainContainer(fmt.Sprintf("c%d", n))
				container.Ports = []corev1.ContainerPort{{ContainerPort: 80}, {ContainerPort: 443}}
				pod.Spec.Containers = append(pod.Spec.Containers, container)
			}
			if got := verdict(createIn(t, namespace, pod)); got != "" {
				t.Errorf("%d harmless containers at %s: %s", count, level, got)
			}
			pod.Spec.Containers[count].SecurityContext.Privileged = new(true)
			pod.Spec.Containers[count].SecurityContext.AllowPrivilegeEscalation = nil
			if got := verdict(createIn(t, namespace, pod)); got == "" {
				t.Errorf("%d containers at %s, of which the last is privileged, are admitted", count, level)
			}
		}
	}
}

// TestGuardTypes waits for the controller that checks the types in the policies' expressions.
func TestGuardTypes(t *testing.T) {
	policies := clientset(t).AdmissionregistrationV1().ValidatingAdmissionPolicies()
	for _, name := range []string{"baseline", "restricted", "kernel", "exec", "presence"} {
		name = "sysctl-injector-" + name
		t.Run(name, func(t *testing.T) {
			eventually(t, "the types to be checked", func(ctx context.Context) (bool, error) {
				policy, err := policies.Get(ctx, name, metav1.GetOptions{})
				if err != nil || policy.Status.ObservedGeneration < policy.Generation ||
					policy.Status.TypeChecking == nil {
					return false, err
				}
				for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
					t.Errorf("%s: %s", warning.FieldRef, warning.Warning)
				}
				return true, nil
			})
		})
	}
}
