package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// clientOptions name the cluster and the user, with the flags of kubectl.
type clientOptions struct {
	config         *genericclioptions.ConfigFlags
	requestTimeout string
	errOut         func() io.Writer // for the warnings of the API server
}

// clusterFlags returns the flags that select a cluster or a user, with their usages.
func clusterFlags() map[string]string {
	return map[string]string{
		"kubeconfig": "kubeconfig `file` (default: as kubectl finds it)",
		"context":    "`context` of the kubeconfig",
		"cluster":    "`cluster` of the kubeconfig",
		"user":       "`user` of the kubeconfig",
		"as":         "`user` to impersonate, or a service account, system:serviceaccount:NAMESPACE:NAME",
		"as-group":   "`group` to impersonate (repeatable)",
	}
}

// addFlags adds the flags that select the cluster.
func (o *clientOptions) addFlags(cmd *cobra.Command) {
	all := genericclioptions.NewConfigFlags(false)
	o.config = &genericclioptions.ConfigFlags{
		KubeConfig: all.KubeConfig, Context: all.Context, ClusterName: all.ClusterName, AuthInfoName: all.AuthInfoName,
		Impersonate: all.Impersonate, ImpersonateGroup: all.ImpersonateGroup,
	}
	flags := cmd.Flags()
	o.config.AddFlags(flags)
	for name, usage := range clusterFlags() {
		flags.Lookup(name).Usage = usage
	}
	o.errOut = cmd.ErrOrStderr
	flags.StringVar(&o.requestTimeout, "request-timeout", defaultRequestTimeout,
		"how long the API server may take to begin an answer; 0 means no limit")
	completeClusterFlags(cmd, o)
}

// addNamespacedFlags adds the flags of addFlags, and -n with the given usage.
func (o *clientOptions) addNamespacedFlags(cmd *cobra.Command, namespace string) {
	o.addFlags(cmd)
	o.config.Namespace = new("")
	cmd.Flags().StringVarP(o.config.Namespace, "namespace", "n", "", namespace)
	completeFlag(cmd, "namespace", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return o.namesOf(corev1.SchemeGroupVersion.WithKind("Namespace")), cobra.ShellCompDirectiveNoFileComp
	})
}

// loading reads the kubeconfig when it is asked.
func (o *clientOptions) loading() clientcmd.ClientConfig { return o.config.ToRawKubeConfigLoader() }

// isNamed reports whether a flag selects a cluster or a user.
func (o *clientOptions) isNamed(cmd *cobra.Command) bool {
	for name := range clusterFlags() {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// namespace returns the namespace of -n, or the namespace of the context.
func (o *clientOptions) namespace() (string, error) {
	namespace, _, err := o.loading().Namespace()
	return namespace, err
}

// clusterName returns the cluster's name in the kubeconfig; empty if it has none.
func (o *clientOptions) clusterName() string {
	config, err := o.loading().RawConfig()
	if err != nil {
		return ""
	}
	current := config.Contexts[cmp.Or(*o.config.Context, config.CurrentContext)]
	if current == nil {
		return *o.config.ClusterName
	}
	return cmp.Or(*o.config.ClusterName, current.Cluster)
}

// findsCluster reports whether a flag, a kubeconfig or the program's own pod names a cluster.
func (o *clientOptions) findsCluster() bool {
	config, err := o.loading().RawConfig()
	if err != nil || !clientcmdapi.IsConfigEmpty(&config) {
		return true
	}
	_, err = rest.InClusterConfig()
	return !errors.Is(err, rest.ErrNotInCluster)
}

// restConfig returns the configuration of a client of the cluster. The client prints the warnings of the API server, as
// kubectl does, and logs nothing else.
func (o *clientOptions) restConfig() (*rest.Config, error) {
	if !o.findsCluster() {
		return nil, errors.New("find the cluster: there is no kubeconfig; name one with --kubeconfig, or in the " +
			"environment variable KUBECONFIG")
	}
	timeout, err := clientcmd.ParseTimeout(o.requestTimeout)
	if err != nil {
		return nil, usagef("--request-timeout: %w", err)
	}
	config, err := o.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	if timeout > 0 {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bounded{next, timeout} })
	}
	config.WarningHandler = rest.NewWarningWriter(o.errOut(), rest.WarningWriterOptions{Deduplicate: true})
	log.SetLogger(logr.New(log.NullLogSink{}))
	return config, nil
}

// client returns a client of the cluster, and the cluster's version.
func (o *clientOptions) client() (client.WithWatch, string, error) {
	config, err := o.restConfig()
	if err != nil {
		return nil, "", err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, "", err
	}
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, "", err
	}
	version, err := server.ServerVersion()
	if err != nil {
		return nil, "", fmt.Errorf("ask the cluster for its version: %w", err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	return c, version.GitVersion, err
}

// newScheme returns the kinds that commands read.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientscheme.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme),
		v1alpha1.AddToScheme(scheme))
}

// scopeOptions select the cluster and the objects in it.
type scopeOptions struct {
	clientOptions
	allNamespaces bool
	selector      string
}

// addFlags adds the flags of clientOptions, and -n, -A and -l. Objects is the plural of the objects' kind.
func (o *scopeOptions) addFlags(cmd *cobra.Command, objects string) {
	o.addNamespacedFlags(cmd, "`namespace` of the "+objects+" (default: the context's namespace)")
	flags := cmd.Flags()
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false,
		"select "+objects+" in all namespaces, and ignore -n")
	flags.StringVarP(&o.selector, "selector", "l", "", "label `selector` of the "+objects+", such as app=web")
}

// scope returns the selected namespace, "" for all, and the label selector.
func (o *scopeOptions) scope() (namespace string, selector labels.Selector, err error) {
	if selector, err = parseSelector(o.selector); err != nil {
		return "", nil, err
	}
	if !o.allNamespaces {
		namespace, err = o.namespace()
	}
	return namespace, selector, err
}

// parseSelector reads the value of -l.
func parseSelector(text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, usagef("--selector: %w", err)
	}
	return selector, nil
}

// namespaceSelection selects namespaces by their labels.
type namespaceSelection struct {
	allNamespaces bool
	selector      string
}

// addFlags adds -A, with its usage, and -l.
func (s *namespaceSelection) addFlags(cmd *cobra.Command, all string) {
	cmd.Flags().BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, all)
	cmd.Flags().StringVarP(&s.selector, "selector", "l", "", "label `selector` of the namespaces, such as team=web")
}

func (s *namespaceSelection) isGiven() bool { return s.allNamespaces || s.selector != "" }

// each visits the selected namespaces of a cluster, ordered by name.
func (s *namespaceSelection) each(ctx context.Context, cluster client.Client, visit func(*corev1.Namespace)) error {
	selector, err := parseSelector(s.selector)
	if err != nil {
		return err
	}
	return eachItem(ctx, cluster, &corev1.NamespaceList{}, func(item runtime.Object) error {
		if namespace, ok := item.(*corev1.Namespace); ok {
			visit(namespace)
		}
		return nil
	}, client.MatchingLabelsSelector{Selector: selector})
}

// errNoneSelected is the error of a command whose flags select no namespace.
var errNoneSelected = errors.New("no namespace is selected")
