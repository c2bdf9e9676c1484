package app

import (
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

func newRenderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print objects of the project for a version of Kubernetes",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRenderGuardCommand(), newRenderMutatingPolicyCommand())
	return cmd
}

type renderGuardOptions struct {
	config         guard.Config
	image          string
	previousImages []string
	output         string
}

func newRenderGuardCommand() *cobra.Command {
	o := &renderGuardOptions{}
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Print the guard for a version of Kubernetes",
		Long: `Print the guard: the ValidatingAdmissionPolicies that hold every container except the injected one
to a Pod Security Standard, and their bindings.

The standards differ between versions of Kubernetes: for example, 1.37 allows two more sysctls at
baseline. The guard for a version agrees with the Pod Security of an API server of that version. The
chart renders the guard for the version of its cluster.`,
		Example: `  sysctl-injector render guard --kubernetes-version 1.35 |
    kubectl apply --server-side --force-conflicts -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.config.KubernetesVersion, "kubernetes-version", "",
		"version of the cluster's API servers, 1.31 or later (default: the newest known)")
	flags.StringVar(&o.image, "init-image", form.DefaultImage(), "image of the injected container")
	flags.StringSliceVar(&o.previousImages, "previous-init-image", nil,
		"earlier image that injected pods may still have (repeatable)")
	flags.StringSliceVar(&o.config.GuestHandlers, "guest-handlers", policy.DefaultGuestHandlers(),
		"RuntimeClass handlers whose pods have their own kernel; exact names, replacing the default list")
	flags.StringSliceVar(&o.config.KubeletSysctls, "kubelet-sysctls", nil,
		"patterns of the unsafe sysctls that all kubelets allow, as in the server's flags")
	addOutputFlag(cmd, &o.output, outputYAML, outputYAML)
	return cmd
}

func (o *renderGuardOptions) run(cmd *cobra.Command) error {
	o.config.Images = append([]string{o.image}, o.previousImages...)
	objects, err := guard.Render(o.config)
	if err != nil {
		return nameFlags(err)
	}
	return printManifest(cmd, objects)
}

func printManifest(cmd *cobra.Command, objects []client.Object) error {
	manifest, err := guard.Manifest(objects)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(manifest)
	return err
}
