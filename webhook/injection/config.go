package injection

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Config is what an administrator chooses of the injected container. A zero field keeps what templates/container.yaml says.
type Config struct {
	Image       string            // a reference to a busybox image; with a digest, if it is to be pinned
	PullPolicy  corev1.PullPolicy // Always, IfNotPresent or Never
	PullSecrets []string          // names of Secrets in the pods' namespaces
	CPU, Memory resource.Quantity // request and limit, in pods that state resources
	// GuestHandlers are the RuntimeClass handlers whose pods have a kernel of their own.
	GuestHandlers []string
	// Version is told in the pod's status.
	Version string
}

// New returns an Injector, or says what is wrong with which field of config.
func New(config Config) (*Injector, error) {
	container, err := template()
	if err != nil {
		return nil, err
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
	for _, name := range config.PullSecrets {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			errs = append(errs, fmt.Errorf("PullSecrets: %q: %s", name, problem))
		}
	}
	errs = append(errs,
		state(&container, corev1.ResourceCPU, "CPU", config.CPU),
		state(&container, corev1.ResourceMemory, "Memory", config.Memory))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	withoutResources := container
	withoutResources.Resources = corev1.ResourceRequirements{}
	return &Injector{
		container:     container,
		bare:          encode(withoutResources),
		stated:        encode(container),
		pullSecrets:   config.PullSecrets,
		guestHandlers: sets.New(config.GuestHandlers...),
		version:       config.Version,
	}, nil
}

// DefaultImage is the image that the template names.
func DefaultImage() string {
	container, err := template()
	if err != nil {
		panic(err) // the template is embedded, and a test reads it
	}
	return container.Image
}

func template() (corev1.Container, error) {
	var container corev1.Container
	if err := yaml.UnmarshalStrict(templates.Container, &container); err != nil {
		return container, fmt.Errorf("decode template container.yaml: %w", err)
	}
	return container, nil
}

func state(container *corev1.Container, name corev1.ResourceName, configField string, quantity resource.Quantity) error {
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
