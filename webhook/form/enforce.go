package form

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// Enforce returns the container that belongs in a pod that has one already. It is the container of Render with the
// fields that the guard leaves free, as found:
//
//	imagePullPolicy Always                   the admission plugin AlwaysPullImages sets it, and rejects another
//	a digest behind the image's tag          a resolver appends it
//	resources                                a LimitRange adds them
//	the mount of the service account token   the API server adds it
//	defaults                                 the API server adds them
func (c *Container) Enforce(p *pod.Pod, args []string, found corev1.Container) corev1.Container {
	container := c.Render(p, args)
	if found.ImagePullPolicy == corev1.PullAlways {
		container.ImagePullPolicy = corev1.PullAlways
	}
	if IsPinned(found.Image, container.Image) {
		container.Image = found.Image
	}
	container.Resources = keepResources(container.Resources, found.Resources)
	keepAdded(&container, found, p.IsTokenMount)
	return container
}

// keepAdded copies into a container what the API server has added to found: the mount of the token, and defaults.
func keepAdded(container *corev1.Container, found corev1.Container, isTokenMount func(corev1.VolumeMount) bool) {
	if n := slices.IndexFunc(found.VolumeMounts, isTokenMount); n >= 0 {
		container.VolumeMounts = found.VolumeMounts[n : n+1]
	}
	if found.TerminationMessagePath == corev1.TerminationMessagePathDefault {
		container.TerminationMessagePath = found.TerminationMessagePath
	}
	sc := found.SecurityContext
	if sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.DefaultProcMount &&
		container.SecurityContext.ProcMount == nil {
		own := *container.SecurityContext
		own.ProcMount = sc.ProcMount
		container.SecurityContext = &own
	}
}

// digest is what a resolver appends to an image. The guard has the same expression.
var digest = regexp.MustCompile(`^` + Digest + `$`)

// Digest matches a digest behind an image's tag.
const Digest = `@sha256:[a-f0-9]{64}`

// IsPinned reports whether an image is the configured one with a digest appended.
func IsPinned(image, configured string) bool {
	appended, same := strings.CutPrefix(image, configured)
	return same && !strings.Contains(configured, "@") && digest.MatchString(appended)
}

// keepResources keeps each resource that the container states, and adds those that only own states.
func keepResources(own, found corev1.ResourceRequirements) corev1.ResourceRequirements {
	kept := *found.DeepCopy()
	kept.Claims = nil // a LimitRange adds none, and the guard admits none
	for name := range own.Requests {
		_, limited := found.Limits[name]
		if _, requested := found.Requests[name]; requested || limited {
			continue
		}
		set(&kept.Requests, name, own.Requests[name])
		if limit, ok := own.Limits[name]; ok {
			set(&kept.Limits, name, limit)
		}
	}
	return kept
}
