package form

import (
	"fmt"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// Recognizer returns a function that recognises the injected container as the guard does: by its whole shape, and not
// only by its name. Images are those that the guard admits.
func Recognizer(images []string) (func(corev1.Container) bool, error) {
	var shapes []shape
	for _, t := range all() {
		container, err := t.decode()
		if err != nil {
			return nil, fmt.Errorf("read the template %s: %w", t.file, err)
		}
		for _, c := range t.commands {
			container.Command = c.Words
			shapes = append(shapes, shape{container, regexp.MustCompile(c.Argument)})
		}
	}
	return func(found corev1.Container) bool {
		return found.Name == v1alpha1.ContainerName &&
			slices.ContainsFunc(images, func(image string) bool {
				return found.Image == image ||
					IsPinned(found.Image, image)
			}) &&
			slices.ContainsFunc(shapes, func(s shape) bool { return s.is(found) })
	}, nil
}

// shape is an injected container with one of its commands, and the expression for its arguments.
type shape struct {
	container corev1.Container
	argument  *regexp.Regexp
}

func (s shape) is(found corev1.Container) bool {
	wanted := s.container
	wanted.Image, wanted.ImagePullPolicy, wanted.Args, wanted.Resources = found.Image, found.ImagePullPolicy,
		found.Args, found.Resources
	wanted.Resources.Claims = nil
	keepAdded(&wanted, found, pod.IsTokenMount)
	return len(found.Args) > 0 && apiequality.Semantic.DeepEqual(found, wanted) &&
		!slices.ContainsFunc(found.Args, func(arg string) bool { return !s.argument.MatchString(arg) })
}
