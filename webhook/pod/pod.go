// Package pod holds the few facts about a pod that a decision needs. Decode finds them in a pod's JSON in one pass,
// without decoding the rest; FromTyped takes them from a typed pod. A test compares the two.
package pod

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// mirrorAnnotation marks the mirror pod that a kubelet creates for a static pod (k8s.io/api/core/v1,
// MirrorPodAnnotationKey).
const mirrorAnnotation = "kubernetes.io/config.mirror"

// The annotations by which a pod has identity webhooks leave some of its containers alone: a list with commas
// (aws/amazon-eks-pod-identity-webhook, pkg/annotations/parser.go), and one with semicolons
// (Azure/azure-workload-identity, pkg/webhook/webhook.go, getSkipContainers).
const (
	EKSSkipAnnotation   = "eks.amazonaws.com/skip-containers"
	AzureSkipAnnotation = "azure.workload.identity/skip-containers"
)

// azureIdentityLabel has Azure's webhook called for a pod.
const azureIdentityLabel = "azure.workload.identity/use"

// prefix is that of all the project's keys.
const prefix = v1alpha1.GroupName + "/"

// Pod is what a decision and its patch need from a pod.
type Pod struct {
	Namespace    string // metadata.namespace; empty in admission, where the request has it
	RuntimeClass string
	Owner        Owner

	name, generateName                           string
	serviceAccountName, deprecatedServiceAccount string

	// Annotations and Labels are those with the project's prefix. The pod may have others.
	Annotations, Labels       map[string]string
	HasAnnotations, HasLabels bool   // whether the pod has any at all
	rawLabels                 string // all labels, as JSON: only few decisions read them
	Mirror                    bool   // a static pod's mirror
	// SkipAnnotations are the annotations by which identity webhooks leave containers alone, by their keys.
	SkipAnnotations map[string]string
	AzureIdentity   bool // label azure.workload.identity/use: "true"

	HasSpec              bool
	HostNetwork, HostIPC bool
	HostUsers            bool
	OS                   string
	NodeSelectorWindows  bool     // spec.nodeSelector selects Windows nodes
	NodeAffinityWindows  bool     // required node affinity leaves only Windows nodes
	SELinuxType          string   // spec.securityContext.seLinuxOptions.type
	NativeSysctls        []Sysctl // spec.securityContext.sysctls
	HasSecurityContext   bool     // spec.securityContext
	HasNativeSysctls     bool     // spec.securityContext.sysctls, of whatever length
	HasResources         bool     // spec.resources names CPU, memory or huge pages
	PullSecrets          []string
	HasPullSecrets       bool

	HasInitContainers                               bool
	InitContainers, Containers, EphemeralContainers []Container
	Volumes                                         []Volume
}

// Owner is the controller that created the pod; its fields are empty where a person did.
type Owner struct{ APIVersion, Kind, Name, UID string }

// Sysctl is an entry of spec.securityContext.sysctls.
type Sysctl struct{ Name, Value string }

// Container is what matters of one of the pod's containers.
type Container struct {
	Name             string
	TokenVolume      string              // the volume that it mounts at TokenMountPath
	Requests, Limits corev1.ResourceList // CPU and memory
	JSON             string              // the container itself, if it has the reserved name; otherwise empty
	SysctlJSON       string              // another one, if it is privileged and speaks of sysctls; otherwise empty
}

// Volume is what matters of one of the pod's volumes.
type Volume struct {
	Name      string
	Projected bool
}

// newPod returns a pod with the API's defaults.
func newPod() *Pod { return &Pod{HostUsers: true} }

// Name is the pod's name, or the one that the API server generates its name from.
func (p *Pod) Name() string { return cmp.Or(p.name, p.generateName) }

// ServiceAccount is "default" if the pod names none. The API server keeps spec.serviceAccount equal to
// serviceAccountName; a manifest may have only the former.
func (p *Pod) ServiceAccount() string {
	return cmp.Or(p.serviceAccountName, p.deprecatedServiceAccount, "default")
}

// Annotation returns the value of an annotation with the project's prefix; nil if the pod does not have it.
func (p *Pod) Annotation(key string) *string {
	value, ok := p.Annotations[key]
	if !ok {
		return nil
	}
	return &value
}

// AsksForSysctls reports whether the pod's own annotations ask for anything.
func (p *Pod) AsksForSysctls() bool { return AskForSysctls(p.Annotations) }

// AskForSysctls reports whether a pod's annotations ask for anything. An empty list of profiles does not.
func AskForSysctls(annotations map[string]string) bool {
	_, sysctls := annotations[v1alpha1.SysctlsAnnotation]
	return sysctls || strings.TrimSpace(annotations[v1alpha1.ProfilesAnnotation]) != ""
}

// OptsOut reports whether the pod turns injection off for itself.
func (p *Pod) OptsOut() bool {
	return strings.TrimSpace(p.Annotations[v1alpha1.InjectAnnotation]) == "false"
}

// DeclinesDefaults reports whether the pod has an empty list of profiles, by which it opts out of those that apply by
// default.
func (p *Pod) DeclinesDefaults() bool {
	profiles, has := p.Annotations[v1alpha1.ProfilesAnnotation]
	return has && strings.TrimSpace(profiles) == ""
}

// AllLabels returns the pod's labels, those without the project's prefix too.
func (p *Pod) AllLabels() (map[string]string, error) {
	all := map[string]string{}
	if p.rawLabels == "" {
		return all, nil
	}
	err := scan.Read([]byte(p.rawLabels), &all, func(into *map[string]string, c *scan.Cursor) {
		c.Map(func(name []byte) {
			key := string(name)
			(*into)[key] = c.Text()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("metadata.labels: %w", err)
	}
	return all, nil
}

// WindowsField tells which field keeps the pod on Windows nodes; "" if none does.
func (p *Pod) WindowsField() string {
	switch {
	case p.OS == string(corev1.Windows):
		return "spec.os.name: windows"
	case p.NodeSelectorWindows:
		return "spec.nodeSelector: kubernetes.io/os=windows"
	case p.NodeAffinityWindows:
		return "required node affinity: kubernetes.io/os=windows"
	}
	return ""
}

// HasVolume reports whether the pod has a projected volume with one of the names.
func (p *Pod) HasVolume(names ...string) bool {
	return slices.ContainsFunc(p.Volumes, func(v Volume) bool { return v.Projected && slices.Contains(names, v.Name) })
}

// Smallest returns the smallest request and limit of a resource among the pod's own containers; nil if no container
// states one. Zero counts only where no container states more: it does not count for the QoS class, but satisfies a
// ResourceQuota. A container that states only a limit requests as much, as the API server has it.
func (p *Pod) Smallest(name corev1.ResourceName) (request, limit *resource.Quantity) {
	for _, list := range [][]Container{p.Containers, p.InitContainers} {
		for i := range list {
			c := &list[i]
			if c.Name == v1alpha1.ContainerName {
				continue
			}
			requests := c.Requests
			if _, stated := requests[name]; !stated {
				requests = c.Limits
			}
			request, limit = smaller(request, requests, name), smaller(limit, c.Limits, name)
		}
	}
	return request, limit
}

func smaller(smallest *resource.Quantity, list corev1.ResourceList, name corev1.ResourceName) *resource.Quantity {
	quantity, stated := list[name]
	switch {
	case !stated || quantity.Sign() < 0:
		return smallest
	case smallest == nil || smallest.IsZero() || quantity.Sign() > 0 && quantity.Cmp(*smallest) < 0:
		return &quantity
	}
	return smallest
}

// The names that the API server's ServiceAccount admission uses in every container
// (k8s.io/kubernetes plugin/pkg/admission/serviceaccount, DefaultAPITokenMountPath and ServiceAccountVolumeName).
const (
	TokenMountPath    = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenVolumePrefix = "kube-api-access-"
)

// TokenVolume is the volume that the API server would mount in an injected container; "" if it would mount none. The
// webhook mounts it, so that the API server has nothing to add, and so no reason to call the webhook a second time.
func (p *Pod) TokenVolume() string {
	for _, c := range p.Containers {
		if strings.HasPrefix(c.TokenVolume, tokenVolumePrefix) &&
			slices.Contains(p.Volumes, Volume{c.TokenVolume, true}) {
			return c.TokenVolume
		}
	}
	return ""
}

// IsTokenMount reports whether a mount is that of the token, of a volume that has nothing else.
func (p *Pod) IsTokenMount(mount corev1.VolumeMount) bool {
	return IsTokenMount(mount) && slices.Contains(p.Volumes, Volume{mount.Name, true})
}

// IsTokenMount reports whether a mount is read-only, at the token's path, and nothing more.
func IsTokenMount(mount corev1.VolumeMount) bool {
	return apiequality.Semantic.DeepEqual(mount,
		corev1.VolumeMount{Name: mount.Name, ReadOnly: true, MountPath: TokenMountPath})
}
