package form

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Config is what an administrator chooses of the injected container. A zero field keeps what the template says.
type Config struct {
	Image       string            // a reference to a busybox image, with a digest if it is to be pinned
	PullPolicy  corev1.PullPolicy // Always, IfNotPresent or Never
	CPU, Memory resource.Quantity // the most that it requests, and its highest limit, in pods that have resources
}

// New returns the forms with their containers, or says what is wrong with which field of config.
func New(config Config) (*Forms, error) {
	forms := slices.Clone(table)
	for i := range forms {
		if err := forms[i].configure(config); err != nil {
			return nil, err
		}
	}
	return &Forms{forms}, nil
}

func (f *Form) configure(config Config) error {
	container, err := f.template()
	if err != nil {
		return err
	}
	if config.Image != "" {
		container.Image = config.Image
	}
	var errs []error
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
	if err := errors.Join(errs...); err != nil {
		return err
	}
	f.container, f.encoded = container, encode(container)
	return nil
}

// template decodes the form's container as it is in its file.
func (f *Form) template() (container corev1.Container, err error) {
	err = templates.Decode(templates.Forms, "forms/"+f.Template, &container)
	return container, err
}

// DefaultImage is the image that the templates name.
func DefaultImage() string {
	container, err := privileged.template()
	if err != nil {
		panic(err) // the template is embedded, and a test reads it
	}
	return container.Image
}

func setResource(container *corev1.Container, name corev1.ResourceName, configField string, quantity resource.Quantity) error {
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
