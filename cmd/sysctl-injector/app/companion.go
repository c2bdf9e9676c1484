package app

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

type companionOptions struct {
	workloadOptions
	clientOptions
	backend        string
	serviceAccount string
	injected       bool
	userNamespace  bool
	explained      bool // the command has printed why it grants a workload nothing
}

func newCompanionCommand() *cobra.Command {
	o := &companionOptions{}
	cmd := &cobra.Command{
		Use: "companion {-f FILE|DIRECTORY|URL|- | -k DIRECTORY | FILE... | " +
			"-n NAMESPACE --serviceaccount NAME SYSCTL...}",
		Short: "Print the grants that pods need to set their sysctls",
		Long: `Print the grants that pods need to set their sysctls, as the webhook would apply them. The arguments
are either manifests with workloads, or a service account and sysctls.

  --backend vap   Kubernetes 1.30 and later: a ClusterRole with the verb "use" for each sysctl, and RoleBindings
  --backend scc   OpenShift: the same, and SecurityContextConstraints that admit the init container
  --backend psp   Kubernetes 1.24 and earlier: a PodSecurityPolicy, a ClusterRole with "use" on it, and a RoleBinding

With --kubeconfig or --context, the command asks the cluster for its version and for the backend
that it needs. --kubernetes-version and --backend have precedence.

PodSecurityPolicies and SecurityContextConstraints cannot be limited to one container. With psp, the
policy admits privileged containers only for injected pods: those with the annotation, or with
--injected. Otherwise it admits the named sysctls in securityContext.sysctls. On OpenShift, pods
with hostUsers: false get their own constraints, which admit no privileged container.

With -f, the command decides on the workloads' annotations as the webhook does. Sysctls in arguments
are granted without a check: the administrator who applies the grants decides.`,
		Example: `  sysctl-injector companion -f deployment.yaml | kubectl apply -f -
  sysctl-injector companion -n shop --serviceaccount web net.core.somaxconn | kubectl apply -f -`,
		RunE: func(cmd *cobra.Command, names []string) error { return o.run(cmd, names) },

		ValidArgsFunction: completeSysctls,
	}
	o.workloadOptions.addFlags(cmd)
	o.clientOptions.addFlags(cmd)
	addBackendFlag(cmd, &o.backend, "backend")
	cmd.Flags().StringVar(&o.serviceAccount, "serviceaccount", "",
		"service account of the pods, with sysctls as arguments")
	cmd.Flags().BoolVar(&o.injected, "injected", false,
		"with --backend psp and sysctls as arguments: admit the injected container too")
	cmd.Flags().BoolVar(&o.userNamespace, "user-namespace", false,
		"with --backend scc and a service account: for pods with hostUsers: false")
	return cmd
}

func (o *companionOptions) run(cmd *cobra.Command, names []string) error {
	if err := o.askCluster(cmd); err != nil {
		return err
	}
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
	if o.injected {
		return nil, usagef("--injected is for sysctls as arguments: with manifests, the annotations decide")
	}
	if o.serviceAccount != "" || o.userNamespace {
		return nil, usagef("name either manifests (-f), or a service account (--serviceaccount) and its sysctls")
	}
	workloads, err := o.read(cmd, arguments)
	if err != nil {
		return nil, err
	}
	var needs []grants.Need
	err = workloads.eachFile(func(f file) error {
		addNeed := func(t manifest.Template) ([]jsonpatch.Operation, error) {
			p, outcome, err := workloads.decide(f, t, cmd.ErrOrStderr())
			if err != nil {
				return nil, err
			}
			need := grants.Need{Namespace: workloads.namespaceOf(t), ServiceAccount: p.ServiceAccount(),
				NativeSysctls: injection.NativeSysctls(p)}
			if outcome.Grant != nil {
				need = *outcome.Grant
			}
			if err := o.explain(cmd.ErrOrStderr(), t, p, outcome, need); err != nil {
				return nil, err
			}
			needs = append(needs, need)
			return nil, nil
		}
		_, err := manifest.Rewrite(f.content, workloads.find, addNeed)
		return err
	})
	o.explained = o.explained || workloads.undecided > 0
	return needs, err
}

func (o *companionOptions) needOfNames(names []string) ([]grants.Need, error) {
	if o.userNamespace && o.backend != string(grants.SecurityContextConstraints) {
		return nil, usagef("--user-namespace is for --backend %s", grants.SecurityContextConstraints)
	}
	if o.injected && o.backend != string(grants.PodSecurityPolicy) {
		return nil, usagef("--injected is for --backend %s", grants.PodSecurityPolicy)
	}
	if o.serviceAccount == "" || len(names) == 0 && !o.userNamespace {
		return nil, usagef("name the manifests (-f), or a service account (--serviceaccount) and its sysctls")
	}
	errs := []error{checkNamespace(o.workloadOptions.namespace)}
	for _, problem := range validation.IsDNS1123Subdomain(o.serviceAccount) {
		errs = append(errs, fmt.Errorf("--serviceaccount: %q: %s", o.serviceAccount, problem))
	}
	need := grants.Need{Namespace: o.workloadOptions.namespace, ServiceAccount: o.serviceAccount,
		UserNamespace: o.userNamespace}
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
