package source

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// ReadCluster replaces the policies and profiles by those of a cluster, and adds one of its namespaces.
func (s *Snapshot) ReadCluster(ctx context.Context, cluster client.Reader, namespace string) error {
	var policies v1alpha1.SysctlPolicyList
	var profiles v1alpha1.SysctlProfileList
	var of corev1.Namespace
	if err := cluster.List(ctx, &policies); err != nil {
		return fmt.Errorf("list the cluster's SysctlPolicies: %w", err)
	}
	if err := cluster.List(ctx, &profiles); err != nil {
		return fmt.Errorf("list the cluster's SysctlProfiles: %w", err)
	}
	if err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, &of); err != nil {
		return fmt.Errorf("read namespace %q: %w", namespace, err)
	}
	s.policies, s.profiles = nil, nil
	for i := range policies.Items {
		// The server ignores an invalid policy; its status says so.
		if compiled, errs := policy.CompilePolicy(&policies.Items[i]); len(errs) == 0 {
			s.policies = append(s.policies, compiled)
		}
	}
	for i := range profiles.Items {
		compiled, _ := policy.CompileProfile(&profiles.Items[i])
		s.profiles = append(s.profiles, compiled)
	}
	s.set = policy.NewSet(s.policies, s.profiles)
	s.namespaces[namespace] = of.Labels
	return nil
}
