package injection

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// What the API server's ServiceAccount admission adds to every container
// (k8s.io/kubernetes plugin/pkg/admission/serviceaccount, DefaultAPITokenMountPath and ServiceAccountVolumeName).
const (
	tokenMountPath    = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenVolumePrefix = "kube-api-access-"
)

// tokenVolume is the volume that the API server would mount in the injected container after the webhook has added it; "" where it
// would mount none. Mounted at once, it leaves the API server nothing to add, and so no reason to call the webhook a second time.
func (p *Pod) tokenVolume() string {
	for _, c := range p.containers {
		if strings.HasPrefix(c.tokenVolume, tokenVolumePrefix) && slices.Contains(p.volumes, volume{c.tokenVolume, true}) {
			return c.tokenVolume
		}
	}
	return ""
}

// isTokenMount tells whether a mount is that of the token, and no more.
func (p *Pod) isTokenMount(mount corev1.VolumeMount) bool {
	plain := corev1.VolumeMount{Name: mount.Name, ReadOnly: true, MountPath: tokenMountPath}
	return apiequality.Semantic.DeepEqual(mount, plain) && slices.Contains(p.volumes, volume{mount.Name, true})
}

type mount struct{ name, path string }

var readMount = scan.Object(scan.Fields[mount]{
	"name":      scan.Text(func(m *mount) *string { return &m.name }),
	"mountPath": scan.Text(func(m *mount) *string { return &m.path }, tokenMountPath),
})

func readTokenMount(into *container, c *scan.Cursor) {
	c.Each(func() {
		var m mount
		readMount(&m, c)
		if m.path == tokenMountPath {
			into.tokenVolume = m.name
		}
	})
}
