package grants

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestAdviseOnOpenShift(t *testing.T) {
	const privileged, userNamespace = "SecurityContextConstraints sysctl-injector reject ",
		"SecurityContextConstraints sysctl-injector-user-namespace reject "
	withUser := func() corev1.PodSpec {
		return corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: new(int64(1001))},
			Containers:      []corev1.Container{{Name: "app", SecurityContext: &corev1.SecurityContext{}}},
		}
	}
	for _, test := range []struct {
		name  string
		tweak func(*OnOpenShift)
		want  []string
	}{
		{"nothing for a pod that states its user", func(*OnOpenShift) {}, nil},
		{"states a user of its own for each container", func(o *OnOpenShift) {
			o.Spec.SecurityContext, o.Spec.Containers[0].SecurityContext.RunAsUser = nil, new(int64(1001))
		}, nil},
		{"names the containers without a user", func(o *OnOpenShift) {
			o.Spec.SecurityContext = nil
			o.Spec.InitContainers = []corev1.Container{{Name: "migrate"}}
		}, []string{
			`containers without runAsUser: "migrate", "app". ` +
				"If the pod is created with the init container already in it (as by `sysctl-injector inject`), " +
				"OpenShift gives them no UID of the namespace's range: they run as the user of their image, which " +
				"may be root. State runAsUser, of that range, and runAsNonRoot: true",
		}},
		{"of a pod in a user namespace, the user has to exist there", func(o *OnOpenShift) {
			o.Privileged, o.UserNamespace, o.Spec.SecurityContext = false, true, nil
		}, []string{
			`containers without runAsUser: "app". ` +
				"OpenShift tries restricted-v2 first, which gives them a UID of the namespace's range; a user " +
				"namespace does not have that UID. State runAsUser between 1000 and 65534",
		}},
		{"names what the constraints reject", func(o *OnOpenShift) {
			o.Spec.SecurityContext.FSGroup = new(int64(2000))
			o.Spec.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"}
			o.Spec.HostNetwork, o.Spec.HostPID, o.Spec.HostIPC = true, true, true
			o.Spec.Volumes = []corev1.Volume{
				{Name: "home", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}},
				{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
			}
			app := &o.Spec.Containers[0]
			app.Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}, {ContainerPort: 81}}
			app.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Role: "r"}
			app.SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE",
				"NET_ADMIN"}}
		}, []string{
			privileged + "spec.securityContext.fsGroup: 2000, unless it is the namespace's own (the first of " +
				"annotation openshift.io/sa.scc.supplemental-groups)",
			privileged + "spec.securityContext.seLinuxOptions with anything but the namespace's level (annotation " +
				"openshift.io/sa.scc.mcs)",
			privileged + "spec.hostNetwork", privileged + "spec.hostPID", privileged + "spec.hostIPC",
			privileged + `volume "home", which is of another kind than configMap, csi, downwardAPI, emptyDir, ` +
				`ephemeral, image, persistentVolumeClaim, projected, secret`,
			privileged + `host port 80 of container "app"`,
			privileged + `seLinuxOptions of container "app" with anything but the namespace's level`,
			privileged + `capability NET_ADMIN of container "app"`,
		}},
		{"in a user namespace, admits every group and one capability more", func(o *OnOpenShift) {
			o.Privileged, o.UserNamespace = false, true
			o.Spec.SecurityContext.FSGroup = new(int64(2000))
			o.Spec.Containers[0].SecurityContext.Capabilities = &corev1.Capabilities{
				Add: []corev1.Capability{"NET_ADMIN", "SYS_ADMIN"},
			}
		}, []string{userNamespace + `capability SYS_ADMIN of container "app"`}},
		{"says who admits the container that only reads", func(o *OnOpenShift) {
			o.Privileged, o.OnlyReads = false,
				true
		}, []string{
			"the init container runs as user 65534, which restricted-v2 rejects: let the service account use " +
				"nonroot-v2 (oc adm policy add-scc-to-user nonroot-v2 -z web -n shop); restricted-v3 admits it in a " +
				"pod with hostUsers: false whose containers state runAsUser between 1000 and 65534",
		}},
		{"names the unsafe native sysctls", func(o *OnOpenShift) {
			o.Privileged, o.Spec.SecurityContext = false, nil
			o.NativeSysctls = []string{"net.ipv4.ip_local_port_range", "net.core.somaxconn", "kernel.sem"}
		}, []string{
			"OpenShift admits net.core.somaxconn, kernel.sem in securityContext.sysctls only by " +
				"SecurityContextConstraints whose allowedUnsafeSysctls names them, and none are generated for that; " +
				"create some, or set them by the init container",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			on := OnOpenShift{Need: web, Privileged: true, Spec: withUser()}
			test.tweak(&on)
			if diff := cmp.Diff(test.want, on.Advise()); diff != "" {
				t.Errorf("advice (-want +got):\n%s", diff)
			}
		})
	}
}
