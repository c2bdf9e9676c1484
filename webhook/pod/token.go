package pod

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// What the API server's ServiceAccount admission adds to every container
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
