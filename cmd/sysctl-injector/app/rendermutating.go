package app

import (
	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/webhook/mutating"
)

type renderMutatingPolicyOptions struct {
	containerOptions
	objectOptions
	output string
}

func newRenderMutatingPolicyCommand() *cobra.Command {
	o := &renderMutatingPolicyOptions{}
	cmd := &cobra.Command{
		Use:   "mutating-policy",
		Short: "Print the policies that inject without the server",
		Long: `Print the policies that inject without the server: MutatingAdmissionPolicies, which the API server
evaluates itself, and ValidatingAdmissionPolicies that reject a pod whose annotation is invalid or
not allowed. They need Kubernetes 1.36 or later.

They add the same init container for the same annotations, in namespaces with the label
sysctl-injector.dev/inject=enabled. SysctlPolicies and SysctlProfiles become part of the printed
policies. After a change, render the policies again.

The policies grant nothing. With the guard, each service account needs its grants, as with a server
in the mode --grants=require: see 'sysctl-injector companion'. docs/without-server.md lists what
else needs the server.`,
		Example: `  sysctl-injector render mutating-policy | kubectl apply --server-side -f -
  sysctl-injector render mutating-policy --policy policies/ --profile profiles/ | kubectl apply --server-side -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addContainerFlags(cmd)
	o.addPolicyFlag(cmd)
	o.addProfileFlag(cmd)
	cmd.Flags().StringVar(&o.kubernetesVersion, "kubernetes-version", "",
		"version of the cluster's API servers, 1.36 or later (default: the newest known)")
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML)
	return cmd
}

func (o *renderMutatingPolicyOptions) run(cmd *cobra.Command) error {
	container, err := o.container()
	if err != nil {
		return err
	}
	loaded, err := o.load(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return err
	}
	policies, profiles := loaded.Objects()
	objects, err := mutating.Render(mutating.Config{
		Config: container, PullSecrets: o.pullSecrets, GuestHandlers: o.guestHandlers,
		KubernetesVersion: o.kubernetesVersion,
		Version:           buildVersion(), Policies: policies, Profiles: profiles,
	})
	if err != nil {
		return nameFlags(err)
	}
	return printManifest(cmd, objects)
}
