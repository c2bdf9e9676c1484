package pod

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulerresource "k8s.io/component-helpers/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// FromTyped takes from a typed pod what Decode finds in its JSON.
func FromTyped(typed *corev1.Pod) (*Pod, error) {
	p := newPod()
	return p, errors.Join(p.fromMetadata(typed), p.fromSpec(&typed.Spec))
}

func (p *Pod) fromMetadata(typed *corev1.Pod) error {
	p.Namespace, p.name, p.generateName = typed.Namespace, typed.Name, typed.GenerateName
	p.Annotations, p.HasAnnotations = ours(typed.Annotations), len(typed.Annotations) > 0
	p.Labels, p.HasLabels = ours(typed.Labels), len(typed.Labels) > 0
	_, p.Mirror = typed.Annotations[mirrorAnnotation]
	for _, key := range []string{EKSSkipAnnotation, AzureSkipAnnotation} {
		if value, ok := typed.Annotations[key]; ok {
			p.skipAnnotation(key, value)
		}
	}
	p.AzureIdentity = typed.Labels[azureIdentityLabel] == "true"
	for _, o := range typed.OwnerReferences {
		if o.Controller != nil && *o.Controller {
			p.Owner = Owner{o.APIVersion, o.Kind, o.Name, string(o.UID)}
		}
	}
	if !p.HasLabels {
		return nil
	}
	raw, err := json.Marshal(typed.Labels)
	p.rawLabels = string(raw)
	return err
}

func (p *Pod) fromSpec(spec *corev1.PodSpec) error {
	p.HasSpec = true
	p.serviceAccountName, p.deprecatedServiceAccount = spec.ServiceAccountName, spec.DeprecatedServiceAccount
	p.HostNetwork, p.HostIPC = spec.HostNetwork, spec.HostIPC
	p.HasResources = schedulerresource.IsPodLevelResourcesSet(&corev1.Pod{Spec: *spec})
	if spec.HostUsers != nil {
		p.HostUsers = *spec.HostUsers
	}
	if spec.RuntimeClassName != nil {
		p.RuntimeClass = *spec.RuntimeClassName
	}
	if spec.OS != nil {
		p.OS = string(spec.OS.Name)
	}
	p.NodeSelectorWindows, p.NodeAffinityWindows = selectsWindows(spec)
	p.HasSecurityContext = spec.SecurityContext != nil
	if spec.SecurityContext != nil {
		p.HasNativeSysctls = len(spec.SecurityContext.Sysctls) > 0
		if spec.SecurityContext.SELinuxOptions != nil {
			p.SELinuxType = spec.SecurityContext.SELinuxOptions.Type
		}
		for _, s := range spec.SecurityContext.Sysctls {
			p.NativeSysctls = append(p.NativeSysctls, Sysctl(s))
		}
	}
	p.HasPullSecrets = len(spec.ImagePullSecrets) > 0
	for _, secret := range spec.ImagePullSecrets {
		p.PullSecrets = append(p.PullSecrets, secret.Name)
	}
	for _, v := range spec.Volumes {
		p.Volumes = append(p.Volumes, Volume{v.Name, v.Projected != nil})
	}
	p.HasInitContainers = len(spec.InitContainers) > 0
	for _, list := range []struct {
		from []corev1.Container
		to   *[]Container
	}{{spec.InitContainers, &p.InitContainers}, {spec.Containers, &p.Containers}} {
		for i := range list.from {
			c, err := fromContainer(&list.from[i])
			if err != nil {
				return err
			}
			*list.to = append(*list.to, c)
		}
	}
	for i := range spec.EphemeralContainers {
		c, err := fromContainer((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon))
		if err != nil {
			return err
		}
		p.EphemeralContainers = append(p.EphemeralContainers, c)
	}
	return nil
}

func fromContainer(typed *corev1.Container) (Container, error) {
	c := Container{Name: typed.Name}
	for _, m := range typed.VolumeMounts {
		if m.MountPath == TokenMountPath {
			c.TokenVolume = m.Name
		}
	}
	c.Requests, c.Limits = cpuAndMemory(typed.Resources.Requests), cpuAndMemory(typed.Resources.Limits)
	isPrivileged := typed.SecurityContext != nil && typed.SecurityContext.Privileged != nil &&
		*typed.SecurityContext.Privileged
	if typed.Name != v1alpha1.ContainerName && !isPrivileged {
		return c, nil
	}
	raw, err := json.Marshal(typed)
	switch {
	case typed.Name == v1alpha1.ContainerName:
		c.JSON = string(raw)
	case speaksOfSysctls(func(word []byte) bool { return bytes.Contains(raw, word) }):
		c.SysctlJSON = string(raw)
	}
	return c, err
}

func cpuAndMemory(all corev1.ResourceList) corev1.ResourceList {
	var kept corev1.ResourceList
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		quantity, ok := all[name]
		if !ok || !isBounded(quantity.String()) {
			continue
		}
		if kept == nil {
			kept = corev1.ResourceList{}
		}
		kept[name] = quantity
	}
	return kept
}

// ours returns the entries with the project's prefix.
func ours(all map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range all {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[key] = value
	}
	return kept
}
