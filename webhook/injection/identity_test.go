package injection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// withIdentity adds what EKS's identity webhook adds to each container.
func withIdentity(c *corev1.Container) {
	c.Env = append(c.Env, corev1.EnvVar{Name: "AWS_ROLE_ARN", Value: "arn:aws:iam::111122223333:role/uploader"})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "aws-iam-token",
		MountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount", ReadOnly: true})
}

func TestHasIdentityWebhooksSkipTheContainer(t *testing.T) {
	azure := func(w *world) { w.pod.Labels["azure.workload.identity/use"] = "true" }
	eks := func(w *world) { w.pod.Spec.Volumes = []corev1.Volume{projected("aws-iam-token")} }
	for _, test := range []struct {
		name, key, before, want string
		tweak                   func(*world)
	}{
		{"EKS", pod.EKSSkipAnnotation, "", "sysctl-injector", eks},
		{"EKS, by Pod Identity", pod.EKSSkipAnnotation, "", "sysctl-injector",
			func(w *world) { w.pod.Spec.Volumes = []corev1.Volume{projected("eks-pod-identity-token")} }},
		{"EKS, with a list", pod.EKSSkipAnnotation, "proxy,setup\n", "proxy,setup,sysctl-injector", eks},
		{"EKS, listed already", pod.EKSSkipAnnotation, "sysctl-injector,proxy", "sysctl-injector,proxy", eks},
		{"EKS is not used", pod.EKSSkipAnnotation, "proxy", "proxy", func(*world) {}},
		{"Azure", pod.AzureSkipAnnotation, "", "sysctl-injector", azure},
		{"Azure, with a list", pod.AzureSkipAnnotation, "proxy; setup;", "proxy; setup;sysctl-injector", azure},
		{"Azure is not used", pod.AzureSkipAnnotation, "proxy", "proxy",
			func(w *world) { w.pod.Labels["azure.workload.identity/use"] = "false" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			test.tweak(w)
			if test.before != "" {
				w.annotate(test.key, test.before)
			}
			w.pod = apply(t, w.pod, w.decide(t, Config{}))
			if got := w.pod.Annotations[test.key]; got != test.want {
				t.Errorf("annotation %q, want %q", got, test.want)
			}
			if again := w.decide(t, Config{}); len(again.Operations) > 0 {
				t.Errorf("the second time: %s", mustMarshal(again.Operations))
			}
		})
	}
}
