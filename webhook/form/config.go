package form

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Config is what an administrator chooses of the injected container. A zero field keeps what the template says.
type Config struct {
	Image       string            // a reference to a busybox image, with a digest if it is to be pinned
	PullPolicy  corev1.PullPolicy // Always, IfNotPresent or Never
	CPU, Memory resource.Quantity // the most that it requests, and its highest limit, in pods that have resources
}

// Forms is the table with its containers as an administrator has configured them. It never changes.
type Forms struct {
	containers map[*template]map[*Command]*Container
}

// New returns the forms with their containers, or says what is wrong with which field of config.
func New(config Config) (*Forms, error) {
	forms := &Forms{map[*template]map[*Command]*Container{}}
	for _, t := range all() {
		container, err := t.configured(config)
		if err != nil {
			return nil, err
		}
		forms.containers[t] = map[*Command]*Container{}
		for _, command := range t.commands {
			forms.containers[t][command] = newContainer(container, command)
		}
	}
	return forms, nil
}

func (t *template) configured(config Config) (corev1.Container, error) {
	container, err := t.decode()
	if err != nil {
		return container, err
	}
	var errs []error
	if config.Image != "" {
		container.Image = config.Image
		if !IsImage(config.Image) {
			//nolint:staticcheck // names the field
			errs = append(errs, fmt.Errorf("Image: %q is no image reference", config.Image))
		}
	}
	switch config.PullPolicy {
	case "":
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
		container.ImagePullPolicy = config.PullPolicy
	default:
		errs = append(errs, fmt.Errorf("PullPolicy: %q is not one of Always, IfNotPresent, Never", config.PullPolicy))
	}
	errs = append(errs,
		setResource(&container, corev1.ResourceCPU, "CPU", config.CPU),
		setResource(&container, corev1.ResourceMemory, "Memory", config.Memory))
	return container, errors.Join(errs...)
}

// Container returns an init container with all that is configured, which is the same in every form; or it says what
// is wrong with which field.
func (c Config) Container() (corev1.Container, error) { return privilegedContainer.configured(c) }

// IsImage reports whether a text can be an image reference: it has only visible ASCII characters.
func IsImage(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// DefaultImage is the image that the templates name.
func DefaultImage() string {
	container, err := privilegedContainer.decode()
	if err != nil {
		panic(err) // the template is embedded, and a test reads it
	}
	return container.Image
}

func setResource(container *corev1.Container, name corev1.ResourceName, configField string,
	quantity resource.Quantity) error {
	switch quantity.Sign() {
	case 0:
		return nil
	case -1:
		return fmt.Errorf("%s: %s is below zero", configField, quantity.String())
	}
	container.Resources.Requests[name] = quantity
	container.Resources.Limits[name] = quantity
	return nil
}
