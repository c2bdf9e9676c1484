package injection

import (
	"cmp"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Config is what an administrator chooses of injection.
type Config struct {
	form.Config
	PullSecrets []string // names of Secrets in the pods' namespaces
	// GuestHandlers are the RuntimeClass handlers whose pods have a kernel of their own.
	GuestHandlers []string
	// Strategy is that of pods that name none; empty for init-container.
	Strategy form.Strategy
	// KubeletSysctls are patterns of the sysctls that all kubelets allow (--allowed-unsafe-sysctls).
	KubeletSysctls []string
	// Kubernetes returns the minor version of the cluster's API servers; nil stands for the newest that is known.
	Kubernetes func() uint
	// Version is reported in the pod's status.
	Version string
}

// New returns an Injector, or says what is wrong with which field of config.
func New(config Config) (*Injector, error) {
	forms, err := form.New(config.Config)
	errs := []error{err}
	for _, name := range config.PullSecrets {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			errs = append(errs, fmt.Errorf("PullSecrets: %q: %s", name, problem))
		}
	}
	for _, handler := range config.GuestHandlers {
		for _, problem := range validation.IsDNS1123Label(handler) {
			errs = append(errs, fmt.Errorf("GuestHandlers: %q: %s", handler, problem))
		}
	}
	strategy, err := form.ParseStrategy(cmp.Or(string(config.Strategy), string(form.InitContainer)))
	if err != nil {
		errs = append(errs, fmt.Errorf("Strategy: %w", err)) //nolint:staticcheck // names the field
	}
	kubeletSysctls := make([]sysctl.Pattern, len(config.KubeletSysctls))
	for n, text := range config.KubeletSysctls {
		if kubeletSysctls[n], err = form.ParseKubeletSysctl(text); err != nil {
			errs = append(errs, fmt.Errorf("KubeletSysctls: %q: %w", text, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if config.Kubernetes == nil {
		config.Kubernetes = func() uint { return form.NewestKubernetes }
	}
	return &Injector{
		strategy: strategy, kubeletSysctls: kubeletSysctls, kubernetes: config.Kubernetes,
		forms:         forms,
		pullSecrets:   config.PullSecrets,
		guestHandlers: sets.New(config.GuestHandlers...),
		version:       config.Version,
	}, nil
}
