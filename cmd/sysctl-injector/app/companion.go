package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

type companionOptions struct {
	workloadOptions
	backend        string
	serviceAccount string
	injected       bool
	explained      bool // a workload asks for sysctls and needs no grant, which the command has said
}

func newCompanionCommand() *cobra.Command {
	o := &companionOptions{}
	cmd := &cobra.Command{
		Use:   "companion {-f FILE|DIRECTORY|URL|- | -k DIRECTORY | FILE... | -n NAMESPACE --serviceaccount NAME SYSCTL...}",
		Short: "Print the grants that pods need to set their sysctls",
		Long: `Print the grants that pods need to set their sysctls, as the webhook would apply them: of the workloads in manifests, or of a
service account and the sysctls named.

  --backend vap   Kubernetes 1.30 and later: a ClusterRole with the verb "use" for each sysctl, and RoleBindings
  --backend scc   OpenShift: the same, with SecurityContextConstraints that admit the init container
  --backend psp   Kubernetes 1.24 and earlier: a PodSecurityPolicy, a ClusterRole with "use" on it, and a RoleBinding

Neither a PodSecurityPolicy nor SecurityContextConstraints can single out one container. A PodSecurityPolicy therefore admits
privileged containers only for pods that are injected: of workloads that carry the annotation, or with --injected. Else it admits
the sysctls named, for securityContext.sysctls.

With -f the workloads' annotations are judged as the webhook judges them. Sysctls that are named as arguments are granted as
they are: the administrator who applies the grants decides.`,
		Example: `  sysctl-injector companion -f deployment.yaml | kubectl apply -f -
  sysctl-injector companion -n shop --serviceaccount web net.core.somaxconn | kubectl apply -f -`,
		RunE: func(cmd *cobra.Command, names []string) error { return o.run(cmd, names) },

		ValidArgsFunction: completeSysctls,
	}
	o.addFlags(cmd)
	addBackendFlag(cmd, &o.backend, "backend")
	cmd.Flags().StringVar(&o.serviceAccount, "serviceaccount", "", "service account of the pods, with sysctls as arguments")
	cmd.Flags().BoolVar(&o.injected, "injected", false, "with --backend psp and sysctls as arguments: admit the injected container too")
	return cmd
}

func (o *companionOptions) run(cmd *cobra.Command, names []string) error {
	var needs []grants.Need
	var err error
	if o.areNamed() || o.serviceAccount == "" && len(names) > 0 && !slices.ContainsFunc(names, sysctl.IsKnown) {
		needs, err = o.needsOfFiles(cmd, names)
	} else {
		needs, err = o.needOfNames(names)
	}
	if err != nil {
		return err
	}
	objects, err := grants.Render(grants.Backend(o.backend), needs)
	if err != nil {
		return err
	}
	if len(objects) == 0 && !o.explained {
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing to grant: no workload here asks for a sysctl.")
	}
	for i, object := range objects {
		encoded, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		if i > 0 {
			encoded = append([]byte("---\n"), encoded...)
		}
		if _, err := cmd.OutOrStdout().Write(encoded); err != nil {
			return err
		}
	}
	return nil
}

func (o *companionOptions) needsOfFiles(cmd *cobra.Command, arguments []string) ([]grants.Need, error) {
	if o.serviceAccount != "" {
		return nil, usagef("name either manifests (-f), or a service account (--serviceaccount) and its sysctls")
	}
	workloads, err := o.read(cmd, arguments)
	if err != nil {
		return nil, err
	}
	var needs []grants.Need
	err = eachFile(workloads.files, func(f file) error {
		_, err := manifest.RewriteFound(f.content, workloads.find, func(t manifest.Template) ([]jsonpatch.Operation, error) {
			p, outcome, err := workloads.decide(t)
			if err != nil {
				return nil, err
			}
			need := grants.Need{Namespace: workloads.namespaceOf(t), ServiceAccount: p.ServiceAccount()}
			if outcome.Grant != nil {
				need = *outcome.Grant
			}
			need.NativeSysctls = append(need.NativeSysctls, injection.NativeSysctls(p)...)
			if o.backend == string(grants.PodSecurityPolicy) {
				o.warnOfNatives(cmd.ErrOrStderr(), t, p)
			}
			if why := whyNoGrant(outcome); why != "" && o.backend != string(grants.PodSecurityPolicy) {
				o.explained = true
				fmt.Fprintf(cmd.ErrOrStderr(), "Nothing to grant for %s %q: %s.\n", t.Kind, t.Name, why)
			}
			needs = append(needs, need)
			return nil, nil
		})
		return err
	})
	return needs, err
}

// warnOfNatives names the sysctls of securityContext.sysctls that no PodSecurityPolicy can allow.
func (o *companionOptions) warnOfNatives(stderr io.Writer, t manifest.Template, p *pod.Pod) {
	for _, native := range p.NativeSysctls {
		if !grants.CanBeInPodSecurityPolicy(native.Name) {
			fmt.Fprintf(stderr, "Warning: %s %q: a PodSecurityPolicy cannot allow %q of securityContext.sysctls: it compares names as they are written, and holds no slash "+
				"and no capital; set it by the annotation %s, or write it with dots if no word of it has one\n", t.Kind, t.Name, native.Name, v1alpha1.SysctlsAnnotation)
		}
	}
}

// whyNoGrant says why a workload that asks for sysctls needs no grant; "" if it needs one, or asks for nothing.
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

func (o *companionOptions) needOfNames(names []string) ([]grants.Need, error) {
	if o.serviceAccount == "" || len(names) == 0 {
		return nil, usagef("name the manifests (-f), or a service account (--serviceaccount) and its sysctls")
	}
	var errs []error
	for _, flag := range []struct{ name, value string }{{"namespace", o.namespace}, {"serviceaccount", o.serviceAccount}} {
		for _, problem := range validation.IsDNS1123Subdomain(flag.value) {
			errs = append(errs, fmt.Errorf("--%s: %q: %s", flag.name, flag.value, problem))
		}
	}
	need := grants.Need{Namespace: o.namespace, ServiceAccount: o.serviceAccount}
	for _, name := range names {
		dotted, err := sysctl.ParseName(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", name, err))
		}
		if o.backend == string(grants.PodSecurityPolicy) && !o.injected {
			need.NativeSysctls = append(need.NativeSysctls, dotted)
		} else {
			need.Sysctls = append(need.Sysctls, dotted)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usageError{err}
	}
	return []grants.Need{need}, nil
}
