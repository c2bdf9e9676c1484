package app

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
)

// rules returns the policies and profiles that decide what convert would write, and where they come from.
func (o *auditOptions) rules(cmd *cobra.Command, cluster client.Client) (rules *policy.Set, which string, err error) {
	if len(o.policies) == 0 {
		rules, which, err = clusterRules(cmd.Context(), cluster)
		if rules != nil || err != nil {
			return rules, which, err
		}
	} else {
		var names []string
		for _, name := range o.policies {
			names = append(names, displayName(name))
		}
		which = "those of " + strings.Join(names, ", ")
	}
	objects, err := o.load(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return nil, "", err
	}
	return objects.Rules(), which, nil
}

// clusterRules returns the policies and profiles of the cluster, or nil and the reason if it cannot read any.
func clusterRules(ctx context.Context, cluster client.Client) (*policy.Set, string, error) {
	policies, profiles, err := source.ReadRules(ctx, cluster)
	switch {
	case err == nil && len(policies) == 0:
		return policy.NewSet(nil, profiles), "none: the cluster has no SysctlPolicy, so it allows nothing", nil
	case err == nil:
		var names []string
		for _, p := range policies {
			names = append(names, p.Name())
		}
		return policy.NewSet(policies, profiles), "the cluster's own, " + strings.Join(names, ", "), nil
	case apierrors.IsForbidden(err):
		return nil, "the built-in default, since the cluster's may not be listed: " + err.Error(), nil
	case isUnknownKind(err):
		return nil, "the built-in default, since the cluster has no SysctlPolicies: sysctl-injector is not installed",
			nil
	}
	return nil, "", err
}

// isUnknownKind reports whether the error says that the API server does not serve the kind.
func isUnknownKind(err error) bool {
	var unknown *meta.NoResourceMatchError
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || errors.As(err, &unknown)
}
