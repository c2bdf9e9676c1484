package convert

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// TestOtherFieldsStay converts random pods. Only the converted containers and their volumes may change.
func TestOtherFieldsStay(t *testing.T) {
	converted, volumes := 0, 0
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 2))
		before := randomPod(random)
		encoded, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		result, err := Inspect(encoded, Kernel{})
		if err != nil {
			t.Fatal(err)
		}
		if !result.Changes() {
			continue
		}
		after := applied(t, encoded, result)
		var gone []string
		for _, f := range result.Findings {
			if f.Converts() {
				gone = append(gone, f.Name)
			}
		}
		converted += len(gone)
		want := before.DeepCopy()
		isGone := func(c corev1.Container) bool { return slices.Contains(gone, c.Name) }
		kept := slices.Concat(slices.DeleteFunc(slices.Clone(before.Spec.InitContainers), isGone),
			before.Spec.Containers)
		mounts := func(all []corev1.Container, name string) bool {
			return slices.ContainsFunc(all, func(c corev1.Container) bool {
				return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name })
			})
		}
		want.Spec.InitContainers = slices.DeleteFunc(want.Spec.InitContainers, isGone)
		want.Spec.Volumes = slices.DeleteFunc(want.Spec.Volumes, func(v corev1.Volume) bool {
			return mounts(before.Spec.InitContainers, v.Name) && !mounts(kept, v.Name)
		})
		volumes += len(before.Spec.Volumes) - len(want.Spec.Volumes)
		empty := func(p *corev1.PodTemplateSpec) {
			if len(p.Spec.InitContainers) == 0 {
				p.Spec.InitContainers = nil
			}
			if len(p.Spec.Volumes) == 0 {
				p.Spec.Volumes = nil
			}
		}
		empty(want)
		delete(after.Annotations, "sysctl-injector.dev/sysctls")
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("seed %d: %v is converted (-want +got)\n%s", seed, gone, diff)
		}
	}
	if converted < 100 || volumes < 50 {
		t.Errorf("only %d containers were converted, and %d volumes removed", converted, volumes)
	}
}

func applied(t *testing.T, before []byte, result *Result) *corev1.PodTemplateSpec {
	t.Helper()
	text, err := result.Apply(before)
	if err != nil {
		t.Fatalf("%v: %v", err, result.Operations())
	}
	after := &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(text, after); err != nil {
		t.Fatal(err)
	}
	return after
}

// randomPod returns a pod with containers that are converted, that stay, and that do not set sysctls. They share
// volumes.
func randomPod(random *rand.Rand) *corev1.PodTemplateSpec {
	pod := &corev1.PodTemplateSpec{}
	pod.Annotations = map[string]string{"example.com/note": "kept"}
	for n := range random.IntN(4) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("v%d", n), VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		})
	}
	container := func(name, script string, privileged bool) corev1.Container {
		c := corev1.Container{Name: name, Image: "busybox:1.36", Command: []string{"sh", "-c", script},
			ImagePullPolicy: corev1.PullAlways}
		if privileged {
			c.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		}
		for _, v := range pod.Spec.Volumes {
			if random.IntN(2) == 0 {
				c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: "/mnt/" + v.Name})
			}
		}
		return c
	}
	for n := range 1 + random.IntN(4) {
		name := fmt.Sprintf("init-%d", n)
		one := []corev1.Container{
			container(name, fmt.Sprintf("sysctl -w net.core.somaxconn=%d", 1024+n), true),
			container(name, "sysctl -w net.ipv4.tcp_fin_timeout=15; sysctl -w net.ipv4.tcp_tw_reuse=1", true),
			container(name, "chown -R 1000 /mnt; ulimit -n 65536", false),
			container(name, "sysctl -w vm.max_map_count=262144", true),
		}[random.IntN(4)]
		if random.IntN(8) == 0 {
			one.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, one)
	}
	for n := range 1 + random.IntN(2) {
		pod.Spec.Containers = append(pod.Spec.Containers, container(fmt.Sprintf("app-%d", n), "exec /app", false))
	}
	return pod
}
