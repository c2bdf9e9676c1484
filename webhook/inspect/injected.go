package inspect

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// injected recognises the injected container as the guard does: by its whole shape, and not by its name.
type injected struct {
	shapes []shape
	images []string
}

// shape is an init container as its template has it, and what it may run.
type shape struct {
	corev1.Container
	commands []command
}

// command is a command vector, and the expression for each of its arguments.
type command struct {
	words    []string
	argument *regexp.Regexp
}

func newInjected(images []string) (*injected, error) {
	shapes, err := form.Shapes()
	if err != nil {
		return nil, err
	}
	i := &injected{shapes: make([]shape, len(shapes)), images: images}
	for n, s := range shapes {
		for _, c := range s.Commands {
			i.shapes[n].commands = append(i.shapes[n].commands, command{c.Words, regexp.MustCompile(c.Argument)})
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(s.Container, &i.shapes[n].Container); err != nil {
			return nil, fmt.Errorf("read the template of %s: %w", strings.Join(s.Forms, " and "), err)
		}
	}
	return i, nil
}

// is reports whether a container is the injected one.
func (i *injected) is(container corev1.Container) bool {
	return container.Name == v1alpha1.ContainerName && i.hasImage(container.Image) &&
		slices.ContainsFunc(i.shapes, func(s shape) bool { return s.runs(container) && hasShape(container, s.Container) })
}

// hasShape compares all but the fields that a form fills in, and what the API server and its plugins add.
func hasShape(container, want corev1.Container) bool {
	c := *container.DeepCopy()
	if c.TerminationMessagePath == corev1.TerminationMessagePathDefault {
		c.TerminationMessagePath = want.TerminationMessagePath
	}
	if sc := c.SecurityContext; sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.DefaultProcMount {
		sc.ProcMount = nil
	}
	if m := c.VolumeMounts; len(m) == 1 && m[0].MountPath == pod.TokenMountPath && m[0].ReadOnly && m[0].SubPath == "" && m[0].SubPathExpr == "" {
		c.VolumeMounts = nil
	}
	if len(c.Resources.Claims) == 0 {
		c.Resources = want.Resources
	}
	c.Image, c.ImagePullPolicy, c.Command, c.Args = want.Image, want.ImagePullPolicy, want.Command, want.Args
	return apiequality.Semantic.DeepEqual(c, want)
}

func (i *injected) hasImage(image string) bool {
	return slices.ContainsFunc(i.images, func(ours string) bool {
		return image == ours || form.IsPinned(image, ours)
	})
}

// runs reports whether a container runs one of the shape's commands, with arguments that the command takes.
func (s shape) runs(container corev1.Container) bool {
	for _, c := range s.commands {
		if slices.Equal(c.words, container.Command) {
			return len(container.Args) > 0 &&
				!slices.ContainsFunc(container.Args, func(arg string) bool { return !c.argument.MatchString(arg) })
		}
	}
	return false
}
