package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// rules returns the policies and profiles that decide what convert would write, and says which they are.
func (o *auditOptions) rules(cmd *cobra.Command, cluster client.Client) (rules *policy.Set, which string, err error) {
	if len(o.policies) == 0 {
		rules, which, err = clusterRules(cmd.Context(), cluster)
		if rules != nil || err != nil {
			return rules, which, err
		}
	} else {
		which = "those of " + strings.Join(o.policies, ", ")
	}
	objects, err := o.load(cmd.Context(), cmd.InOrStdin())
	if err != nil {
		return nil, "", err
	}
	return objects.rules(), which, nil
}

// clusterRules returns the policies and profiles of the cluster; nil with the reason if there are none to read.
func clusterRules(ctx context.Context, cluster client.Client) (*policy.Set, string, error) {
	var policies []*policy.Policy
	var profiles []*policy.Profile
	var names []string
	err := eachItem(ctx, cluster, &v1alpha1.SysctlPolicyList{}, func(item runtime.Object) error {
		if one, ok := item.(*v1alpha1.SysctlPolicy); ok {
			if compiled, errs := policy.CompilePolicy(one); len(errs) == 0 { // an invalid one counts for nothing in the webhook too
				policies, names = append(policies, compiled), append(names, one.Name)
			}
		}
		return nil
	})
	if err == nil {
		err = eachItem(ctx, cluster, &v1alpha1.SysctlProfileList{}, func(item runtime.Object) error {
			if one, ok := item.(*v1alpha1.SysctlProfile); ok {
				compiled, _ := policy.CompileProfile(one)
				profiles = append(profiles, compiled)
			}
			return nil
		})
	}
	switch {
	case err == nil && len(names) == 0:
		return policy.NewSet(nil, profiles), "none: the cluster has no SysctlPolicy, so it allows nothing", nil
	case err == nil:
		return policy.NewSet(policies, profiles), fmt.Sprintf("the cluster's own, %s", strings.Join(names, ", ")), nil
	case apierrors.IsForbidden(err):
		return nil, "the built-in default, since the cluster's may not be listed: " + err.Error(), nil
	case isUnknownKind(err):
		return nil, "the built-in default, since the cluster has no SysctlPolicies: sysctl-injector is not installed", nil
	}
	return nil, "", fmt.Errorf("list the policies: %w", err)
}

// isUnknownKind reports whether an API server has no such kind.
func isUnknownKind(err error) bool {
	var unknown *meta.NoResourceMatchError
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || errors.As(err, &unknown)
}
