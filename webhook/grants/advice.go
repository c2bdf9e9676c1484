package grants

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// OnOpenShift holds the facts that decide which SecurityContextConstraints a pod needs.
type OnOpenShift struct {
	Need
	// Privileged reports whether the injected container is privileged, and OnlyReads whether it sets nothing.
	Privileged, OnlyReads bool
	Spec                  corev1.PodSpec
}

// Advise returns what a person should change in a pod or in the cluster, so that OpenShift admits the pod together
// with the injected container and runs the pod's own containers as before. docs/openshift.md has the rules and their
// sources.
func (o OnOpenShift) Advise() []string {
	var advice []string
	if unsafe := unsafeNames(o.NativeSysctls); len(unsafe) > 0 {
		advice = append(advice, fmt.Sprintf("OpenShift admits %s in securityContext.sysctls only by "+
			"SecurityContextConstraints whose allowedUnsafeSysctls names them, and none are generated for that; "+
			"create some, or set them by the init container", strings.Join(unsafe, ", ")))
	}
	switch {
	case o.Privileged:
		if without := withoutUser(o.Spec); without != "" {
			advice = append(advice, "containers without runAsUser: "+without+". If the pod is created with "+
				"the init container already in it (as by `sysctl-injector inject`), OpenShift gives them no UID of "+
				"the namespace's range: they run as the user of their image, which may be root. State runAsUser, of "+
				"that range, and runAsNonRoot: true")
		}
		return append(advice, o.rejected("sysctl-injector", "NET_BIND_SERVICE")...)
	case o.UserNamespace:
		if without := withoutUser(o.Spec); without != "" {
			advice = append(advice, "containers without runAsUser: "+without+". OpenShift tries restricted-v2 first, "+
				"which gives them a UID of the namespace's range; a user namespace does not have that UID. "+
				"State runAsUser between 1000 and 65534")
		}
		return append(advice, o.rejected("sysctl-injector-user-namespace", "NET_ADMIN", "NET_BIND_SERVICE")...)
	case o.OnlyReads:
		return append(advice, fmt.Sprintf("the init container runs as user 65534, which restricted-v2 rejects: "+
			"let the service account use nonroot-v2 (oc adm policy add-scc-to-user nonroot-v2 -z %s -n %s); "+
			"restricted-v3 admits it in a pod with hostUsers: false whose containers state runAsUser between "+
			"1000 and 65534",
			o.ServiceAccount, o.Namespace))
	}
	return advice
}

// rejected returns the parts of the pod that our constraints reject.
func (o OnOpenShift) rejected(constraints string, capabilities ...corev1.Capability) []string {
	var found []string
	reject := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	at := "spec.securityContext"
	if of := o.Spec.SecurityContext; of != nil {
		// In a user namespace, every group is admitted.
		if of.FSGroup != nil && !o.UserNamespace {
			reject("%s.fsGroup: %d, unless it is the namespace's own "+
				"(the first of annotation openshift.io/sa.scc.supplemental-groups)", at, *of.FSGroup)
		}
		if !onlyLevel(of.SELinuxOptions) {
			reject("%s.seLinuxOptions with anything but the namespace's level (annotation openshift.io/sa.scc.mcs)", at)
		}
	}
	for _, field := range []struct {
		name string
		set  bool
	}{{"hostNetwork", o.Spec.HostNetwork}, {"hostPID", o.Spec.HostPID}, {"hostIPC", o.Spec.HostIPC}} {
		if field.set {
			reject("spec.%s", field.name)
		}
	}
	for i := range o.Spec.Volumes {
		if kind := volumeKind(&o.Spec.Volumes[i]); !slices.Contains(admittedVolumes, kind) {
			reject("volume %q, which is of another kind than %s", o.Spec.Volumes[i].Name,
				strings.Join(admittedVolumes, ", "))
		}
	}
	for _, c := range containersOf(o.Spec) {
		for _, port := range c.Ports {
			if port.HostPort != 0 {
				reject("host port %d of container %q", port.HostPort, c.Name)
			}
		}
		of := c.SecurityContext
		if of == nil {
			continue
		}
		if !onlyLevel(of.SELinuxOptions) {
			reject("seLinuxOptions of container %q with anything but the namespace's level", c.Name)
		}
		if of.Capabilities != nil {
			for _, capability := range of.Capabilities.Add {
				if !slices.Contains(capabilities, capability) {
					reject("capability %s of container %q", capability, c.Name)
				}
			}
		}
	}
	for i := range found {
		found[i] = "SecurityContextConstraints " + constraints + " reject " + found[i]
	}
	return found
}

// admittedVolumes are the kinds of volumes in our constraints, as in restricted-v2.
var admittedVolumes = []string{
	"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}

func volumeKind(v *corev1.Volume) string {
	for kind, set := range map[string]bool{
		"configMap":             v.ConfigMap != nil,
		"csi":                   v.CSI != nil,
		"downwardAPI":           v.DownwardAPI != nil,
		"emptyDir":              v.EmptyDir != nil,
		"ephemeral":             v.Ephemeral != nil,
		"image":                 v.Image != nil,
		"persistentVolumeClaim": v.PersistentVolumeClaim != nil,
		"projected":             v.Projected != nil,
		"secret":                v.Secret != nil,
	} {
		if set {
			return kind
		}
	}
	return ""
}

// withoutUser lists the containers for which the pod states no user.
func withoutUser(spec corev1.PodSpec) string {
	if spec.SecurityContext != nil && spec.SecurityContext.RunAsUser != nil {
		return ""
	}
	var without []string
	for _, c := range containersOf(spec) {
		if c.SecurityContext == nil || c.SecurityContext.RunAsUser == nil {
			without = append(without, strconv.Quote(c.Name))
		}
	}
	return strings.Join(without, ", ")
}

func containersOf(spec corev1.PodSpec) []corev1.Container {
	return slices.Concat(spec.InitContainers, spec.Containers)
}

func onlyLevel(of *corev1.SELinuxOptions) bool {
	return of == nil || of.User+of.Role+of.Type == ""
}

func unsafeNames(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return sysctl.Lookup(name).SafeSince != "" })
}
