package form

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// template is an init container: a file below templates/forms, the only source of all that is the same in every pod.
type template struct {
	file string
	// fits reports whether the container can set a sysctl; nil if it can set each that its form takes.
	fits func(sysctl.Assignment) bool
	// podSecurity is the strictest Pod Security Standard that admits the container by itself, in a minor version of
	// Kubernetes.
	podSecurity func(minor uint) Level
	// rejected says what a stricter standard rejects, for a message: "the privileged init container".
	rejected string
	// mark is CEL, as that of the form: which of the form's containers it is. The first template needs none.
	mark string
	// commands are what the container may run. A pod gets the first that can do all its lines.
	commands []*Command
}

// all are the templates of every form, each once.
func all() []*template {
	var found []*template
	for _, f := range table {
		for _, t := range f.templates {
			if !slices.Contains(found, t) {
				found = append(found, t)
			}
		}
	}
	return found
}

// name is that of the template's file, and of the shape in the guard.
func (t *template) name() string { return strings.TrimSuffix(t.file, ".yaml") }

func (t *template) fitsAll(settings []policy.Setting) bool {
	return t.fits == nil || !slices.ContainsFunc(settings, func(s policy.Setting) bool { return !t.fits(s.Assignment) })
}

// decode reads the template's file.
func (t *template) decode() (container corev1.Container, err error) {
	err = templates.Decode(templates.Forms, "forms/"+t.file, &container)
	return container, err
}

// needsGrant reports whether the guard has to make an exception for the container, which it makes for granted sysctls
// only. A container that baseline admits is one that any pod may have.
func (t *template) needsGrant(minor uint) bool { return t.podSecurity(minor) == Privileged }

// in returns the standard in every version of Kubernetes.
func in(level Level) func(uint) Level { return func(uint) Level { return level } }
