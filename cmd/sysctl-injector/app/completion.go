package app

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// completionTimeout limits how long a completion waits for the cluster.
const completionTimeout = 3 * time.Second

// maxCompletions is the most names that a completion reads from a cluster.
const maxCompletions = 1000

// completeClusterFlags registers the completion of the flags that name a cluster.
func completeClusterFlags(cmd *cobra.Command, o *clientOptions) {
	completeFlag(cmd, "context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		config, err := o.loading().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.Sorted(maps.Keys(config.Contexts)), cobra.ShellCompDirectiveNoFileComp
	})
}

func completeFlag(cmd *cobra.Command, name string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
		panic(err) // only when the flag does not exist
	}
}

// namesOf returns the names of all objects of a cluster-scoped kind, or none if the person may not list them or the
// cluster does not answer.
func (o *clientOptions) namesOf(kind schema.GroupVersionKind) []string {
	config, err := o.restConfig()
	if err != nil {
		return nil
	}
	config.Timeout = completionTimeout
	config.WarningHandler = rest.NoWarnings{}
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := cluster.List(ctx, list, client.Limit(maxCompletions)); err != nil {
		return nil
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// completeNamespaces completes arguments that are namespaces.
func completeNamespaces(o *clientOptions) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		names := slices.DeleteFunc(o.namesOf(corev1.SchemeGroupVersion.WithKind("Namespace")),
			func(name string) bool { return slices.Contains(args, name) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeSysctls completes arguments that are sysctls of the catalogue, one part of the name at a time.
func completeSysctls(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, name := range sysctl.CatalogueNames() {
		if !strings.HasPrefix(name, begun) || slices.Contains(args, name) {
			continue
		}
		next := name
		if dot := strings.Index(name[len(begun):], "."); dot >= 0 {
			next = name[:len(begun)+dot+1]
		}
		if !slices.Contains(words, next) {
			words = append(words, next)
		}
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	if slices.ContainsFunc(words, func(word string) bool { return strings.HasSuffix(word, ".") }) {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return words, directive
}
