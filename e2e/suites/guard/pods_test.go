package guard_test

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

var oneGigabyte = resource.MustParse("1Gi")

// plainPod meets every standard.
func plainPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod"},
		Spec: corev1.PodSpec{
			ServiceAccountName: "granted",
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				RunAsUser:      new(int64(1000)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{plainContainer("app")},
		},
	}
}

func plainContainer(name string) corev1.Container {
	return corev1.Container{
		Name:  name,
		Image: "registry.example.com/app:1",
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// ours is the privileged container, as the webhook writes it into a pod without resources.
func ours(args ...string) corev1.Container { return oursOf("privileged", args...) }

// oursOf is the injected container of a template, as the webhook writes it into a pod without resources.
func oursOf(template string, args ...string) corev1.Container {
	var container corev1.Container
	if err := templates.Decode(templates.Forms, "forms/"+template+".yaml", &container); err != nil {
		panic(err) // the template is embedded, and a test reads it
	}
	container.Image = currentImage
	container.Args = args
	container.Resources = corev1.ResourceRequirements{}
	return container
}

// injectedPod meets every standard but for the injected container.
func injectedPod() *corev1.Pod {
	pod := plainPod()
	inject(pod, "net.core.somaxconn=1024")
	return pod
}

func inject(pod *corev1.Pod, args ...string) {
	pod.Spec.InitContainers = append([]corev1.Container{ours(args...)}, pod.Spec.InitContainers...)
}
