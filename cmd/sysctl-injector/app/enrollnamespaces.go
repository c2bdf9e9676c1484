package app

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// namespaceOptions select the namespaces that a command changes.
type namespaceOptions struct {
	clientOptions
	namespaceSelection
}

func (o *namespaceOptions) addFlags(cmd *cobra.Command, all string) {
	o.addNamespacedFlags(cmd, "`namespace`, in addition to the arguments")
	o.namespaceSelection.addFlags(cmd, all)
}

// names returns the namespaces of the arguments and -n, without duplicates, or the namespaces that the flags and the
// command select.
func (o *namespaceOptions) names(ctx context.Context, cluster client.Client, arguments []string,
	selects func(*corev1.Namespace) bool) ([]string, error) {
	if !o.isGiven() {
		named := slices.Clone(arguments)
		if *o.config.Namespace != "" {
			named = append(named, *o.config.Namespace)
		}
		return distinct(named), nil
	}
	var selected []string
	err := o.each(ctx, cluster, func(namespace *corev1.Namespace) {
		if selects(namespace) {
			selected = append(selected, namespace.Name)
		}
	})
	if err == nil && len(selected) == 0 {
		err = errNoneSelected
	}
	return selected, err
}

// check rejects flags and arguments that contradict each other.
func (o *namespaceOptions) check(arguments []string) error {
	named, selects := len(arguments) > 0 || *o.config.Namespace != "", o.isGiven()
	switch {
	case !named && !selects:
		return usagef("name the namespaces, or select them with -l or -A")
	case named && selects:
		return usagef("either name the namespaces, or select them with -l or -A")
	}
	return nil
}

func distinct(names []string) []string {
	seen := sets.New[string]()
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen.Has(name)
		seen.Insert(name)
		return again
	})
}
