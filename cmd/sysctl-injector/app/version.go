package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// version is set by the linker: -X …/app.version=v1.2.3.
var version string

// buildVersion is the version from the linker. If that is empty, as after `go install`, it is the module's version.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Build is what is known about the program that runs.
type Build struct {
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// Server is a Deployment of sysctl-injector in the cluster.
type Server struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Ready     int32  `json:"ready"`
	Replicas  int32  `json:"replicas"`
}

// Versions is the output of `version -o yaml`.
type Versions struct {
	Client Build `json:"clientVersion"`
	// Servers are the servers of the cluster; nil if no cluster was asked.
	Servers    []Server `json:"serverVersions,omitempty"`
	Kubernetes string   `json:"kubernetesVersion,omitempty"`
}

type versionOptions struct {
	clientOptions
	onlyClient bool
	output     string
}

func newVersionCommand() *cobra.Command {
	o := &versionOptions{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of this program and of the server in the cluster",
		Long: `Print the versions of this program and of the server in the cluster.

With --client, or if neither a flag nor a kubeconfig selects a cluster, the command asks none. The
server is a Deployment with the label app.kubernetes.io/name=sysctl-injector, in any namespace or in
the namespace of -n.`,
		Example: `  sysctl-injector version
  sysctl-injector version --client -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.addNamespacedFlags(cmd, "`namespace` of the server (default: all)")
	cmd.Flags().BoolVar(&o.onlyClient, "client", false, "print the version of this program only, and ask no cluster")
	addOutputFlag(cmd, &o.output, "", outputYAML, outputJSON)
	return cmd
}

func (o *versionOptions) run(cmd *cobra.Command) error {
	versions := Versions{Client: Build{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}}
	var err error
	asks := !o.onlyClient && (o.isNamed(cmd) || o.findsCluster())
	if asks {
		err = o.ask(cmd.Context(), &versions)
	}
	if printErr := o.print(cmd.OutOrStdout(), versions, asks && err == nil); printErr != nil {
		return printErr
	}
	return err
}

// ask finds the servers of the cluster. A caller who may not list Deployments gets only the version of Kubernetes.
func (o *versionOptions) ask(ctx context.Context, versions *Versions) error {
	cluster, kubernetes, err := o.client()
	if err != nil {
		return err
	}
	versions.Kubernetes = kubernetes
	err = eachItem(ctx, cluster, &appsv1.DeploymentList{}, func(item kruntime.Object) error {
		if d, ok := item.(*appsv1.Deployment); ok {
			versions.Servers = append(versions.Servers, Server{
				Namespace: d.Namespace, Name: d.Name, Version: cmp.Or(d.Labels["app.kubernetes.io/version"], "unknown"),
				Ready: d.Status.ReadyReplicas, Replicas: d.Status.Replicas,
			})
		}
		return nil
	}, client.InNamespace(*o.config.Namespace), client.MatchingLabels{"app.kubernetes.io/name": "sysctl-injector"})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("find the server (-n names its namespace): %w", err)
	}
	return err
}

func (o *versionOptions) print(out io.Writer, versions Versions, asked bool) error {
	if o.output != "" {
		return printAs(out, o.output, versions)
	}
	build := versions.Client
	lines := fmt.Sprintf("sysctl-injector %s (%s, %s)\n", build.Version, build.GoVersion, build.Platform)
	for _, s := range versions.Servers {
		lines += fmt.Sprintf("server %s (%s/%s, %d of %d ready)\n", s.Version, s.Namespace, s.Name, s.Ready, s.Replicas)
	}
	if asked && len(versions.Servers) == 0 {
		lines += "server not found in the cluster\n"
	}
	if versions.Kubernetes != "" {
		lines += fmt.Sprintf("Kubernetes %s\n", versions.Kubernetes)
	}
	_, err := io.WriteString(out, lines)
	return err
}
