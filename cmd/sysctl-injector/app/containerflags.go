package app

import (
	"cmp"
	"errors"
	"regexp"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// containerOptions configure the injected container, both for the webhook and for files.
type containerOptions struct {
	image, pullPolicy, cpu, memory string
	pullSecrets, guestHandlers     []string
	strategy, kubernetesVersion    string
	kubeletSysctls                 []string
	// minor returns the minor version of the cluster's API servers, or 0 if it is unknown; nil without a cluster.
	minor func() uint
}

func (o *containerOptions) addFlags(cmd *cobra.Command) {
	o.addContainerFlags(cmd)
	addChoiceFlag(cmd, &o.strategy, "strategy", "",
		"strategy for pods that name none; with native-first, spec.securityContext.sysctls sets what every kubelet "+
			"allows", string(form.InitContainer), form.Strategies()...)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.kubeletSysctls, "kubelet-sysctls", nil,
		"patterns of the unsafe sysctls that all kubelets allow (--allowed-unsafe-sysctls); native-first sets them "+
			"natively")
	flags.StringVar(&o.kubernetesVersion, "kubernetes-version", "",
		"version of the cluster's API servers (default: the cluster's; without a cluster, the newest known)")
}

// asksNoCluster corrects the help of a command that works on files alone.
func asksNoCluster(cmd *cobra.Command) {
	cmd.Flags().Lookup("kubernetes-version").Usage = "version of the cluster's API servers (default: the newest known)"
}

// addContainerFlags adds the flags that configure the container, and those that say which pods have their own kernel.
func (o *containerOptions) addContainerFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.image, "init-image", form.DefaultImage(),
		"busybox image of the init container, with a tag or a digest")
	flags.StringVar(&o.pullPolicy, "init-image-pull-policy", "IfNotPresent", "Always, IfNotPresent or Never")
	flags.StringSliceVar(&o.pullSecrets, "init-image-pull-secret", nil,
		"name of a Secret, in the pods' namespaces, for pulling the image (repeatable)")
	flags.StringVar(&o.cpu, "init-cpu", "",
		"most CPU that the init container requests, in pods that state resources (default: the template's, 100m)")
	flags.StringVar(&o.memory, "init-memory", "",
		"most memory that the init container requests, in pods that state resources (default: the template's, 32Mi)")
	flags.StringSliceVar(&o.guestHandlers, "guest-handlers", policy.DefaultGuestHandlers(),
		"RuntimeClass handlers whose pods have their own kernel; exact names, replacing the default list")
}

// decideFor makes the decisions for the version that a cluster reports, unless --kubernetes-version names another one.
func (o *containerOptions) decideFor(clusterVersion string) {
	o.minor = inspect.APIServer{Version: clusterVersion}.Minor
}

func (o *containerOptions) injector() (*injection.Injector, error) {
	container, err := o.container()
	if err != nil {
		return nil, err
	}
	config := injection.Config{
		Config:      container,
		PullSecrets: o.pullSecrets, GuestHandlers: o.guestHandlers, Version: buildVersion(),
		Strategy: form.Strategy(o.strategy), KubeletSysctls: o.kubeletSysctls,
	}
	minor, err := form.ParseKubernetes(o.kubernetesVersion)
	if err != nil {
		return nil, usagef("--kubernetes-version: %q: %w", o.kubernetesVersion, err)
	}
	config.Kubernetes = func() uint { return minor }
	if o.kubernetesVersion == "" && o.minor != nil {
		config.Kubernetes = o.minor
	}
	injector, err := injection.New(config)
	if err != nil {
		return nil, nameFlags(err)
	}
	return injector, nil
}

// flagOfField maps the fields of injection.Config, mutating.Config and guard.Config to flags.
var flagOfField = map[string]string{
	"Image": "init-image", "Images[0]": "init-image", "Images": "previous-init-image",
	"PullPolicy": "init-image-pull-policy", "PullSecrets": "init-image-pull-secret",
	"CPU": "init-cpu", "Memory": "init-memory", "GuestHandlers": "guest-handlers",
	"Strategy": "strategy", "KubeletSysctls": "kubelet-sysctls", "KubernetesVersion": "kubernetes-version",
}

// fieldOfError matches a field where an error names it: at the start of a line, or in the list of an aggregate.
var fieldOfError = regexp.MustCompile(`(?m)(^\[?|, )(([A-Z][A-Za-z]+)(?:\[\d+\])?): `)

// nameFlags returns an error of a configuration as a usage error, with flags in place of fields.
func nameFlags(err error) error {
	text := fieldOfError.ReplaceAllStringFunc(err.Error(), func(match string) string {
		parts := fieldOfError.FindStringSubmatch(match)
		if flag := cmp.Or(flagOfField[parts[2]], flagOfField[parts[3]]); flag != "" {
			return parts[1] + "--" + flag + ": "
		}
		return match
	})
	return usageError{errors.New(text)}
}

// container returns the container's configuration from the flags.
func (o *containerOptions) container() (form.Config, error) {
	if o.image == "" { // not the default: it may be a variable of a script that is not set
		return form.Config{}, usagef("--init-image: the image is empty")
	}
	config := form.Config{Image: o.image, PullPolicy: corev1.PullPolicy(o.pullPolicy)}
	for _, q := range []struct {
		flag, text string
		to         *resource.Quantity
	}{{"init-cpu", o.cpu, &config.CPU}, {"init-memory", o.memory, &config.Memory}} {
		if q.text == "" {
			continue
		}
		quantity, err := resource.ParseQuantity(q.text)
		if err != nil {
			return form.Config{}, usagef("--%s: %q: %w", q.flag, q.text, err)
		}
		if quantity.IsZero() { // form.Config takes it for the default
			return form.Config{}, usagef("--%s: %q is not above zero", q.flag, q.text)
		}
		*q.to = quantity
	}
	return config, nil
}
