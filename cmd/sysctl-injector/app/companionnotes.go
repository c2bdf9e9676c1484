package app

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// askCluster detects the cluster's version and the backend that it needs, if flags name a cluster. It warns if
// --backend names another.
func (o *companionOptions) askCluster(cmd *cobra.Command) error {
	if !o.isNamed(cmd) {
		return nil
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	cluster, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	backend, because, err := grants.Discover(cluster)
	if err != nil {
		return err
	}
	if o.kubernetesVersion == "" {
		version, err := cluster.ServerVersion()
		if err != nil {
			return fmt.Errorf("ask the cluster for its version: %w", err)
		}
		o.decideFor(version.GitVersion)
	}
	switch {
	case !cmd.Flags().Changed("backend"):
		o.backend = string(backend)
		fmt.Fprintf(cmd.ErrOrStderr(), "The cluster needs the backend %s: %s.\n", backend, because)
	case o.backend != string(backend):
		fmt.Fprintf(cmd.ErrOrStderr(), "Warning: the cluster needs --backend %s: %s\n", backend, because)
	}
	return nil
}

// explain prints warnings and notes about a workload's grants.
func (o *companionOptions) explain(
	stderr io.Writer, t manifest.Template, p *pod.Pod, outcome injection.Outcome, need grants.Need,
) error {
	switch grants.Backend(o.backend) {
	case grants.PodSecurityPolicy:
		warnOfNatives(stderr, t, p)
		return nil
	case grants.SecurityContextConstraints:
		advice, err := adviseOnOpenShift(t, outcome, need)
		if err != nil {
			return fmt.Errorf("%s: %w", nameOf(t), err)
		}
		for _, text := range advice {
			fmt.Fprintf(stderr, "Warning: %s %q: %s\n", t.Kind, t.Name, text)
		}
	}
	if why := whyNoGrant(outcome); why != "" {
		o.explained = true
		fmt.Fprintf(stderr, "Nothing to grant for %s %q: %s.\n", t.Kind, t.Name, why)
	}
	return nil
}

func adviseOnOpenShift(t manifest.Template, outcome injection.Outcome, need grants.Need) ([]string, error) {
	var template corev1.PodTemplateSpec
	if err := json.Unmarshal(t.Pod, &template); err != nil {
		return nil, err
	}
	on := grants.OnOpenShift{Need: need, Spec: template.Spec}
	for _, s := range outcome.Sysctls {
		of := form.Named(s.Form)
		on.Privileged, on.OnlyReads = on.Privileged || of.Privileged, on.OnlyReads || of.OnlyReads
	}
	return on.Advise(), nil
}

// warnOfNatives warns of sysctls in securityContext.sysctls that no PodSecurityPolicy can allow.
func warnOfNatives(stderr io.Writer, t manifest.Template, p *pod.Pod) {
	for _, native := range p.NativeSysctls {
		if !grants.CanBeInPodSecurityPolicy(native.Name) {
			fmt.Fprintf(stderr, "Warning: %s %q: a PodSecurityPolicy cannot allow %q of securityContext.sysctls: "+
				"its names have no slashes and no capitals; set the sysctl with the annotation %s, or write its name "+
				"with dots if no part of the name has a dot\n", t.Kind, t.Name, native.Name, v1alpha1.SysctlsAnnotation)
		}
	}
}

// whyNoGrant returns why a workload with sysctls needs no grant. It returns "" if the workload needs one, or has no
// sysctls.
func whyNoGrant(outcome injection.Outcome) string {
	if outcome.Grant != nil && len(outcome.Grant.Sysctls) > 0 || len(outcome.Sysctls) == 0 {
		return ""
	}
	var reasons []string
	for _, s := range outcome.Sysctls {
		if reason := form.WhyNoGrant(s.Form); !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, ", and ")
}
