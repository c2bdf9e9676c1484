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
	policies, profiles, err := ReadRules(ctx, cluster)
	if err != nil {
		return err
	}
	var of corev1.Namespace
	if err := cluster.Get(ctx, client.ObjectKey{Name: namespace}, &of); err != nil {
		return fmt.Errorf("read namespace %q: %w", namespace, err)
	}
	s.policies, s.profiles = policies, profiles
	s.set = policy.NewSet(s.policies, s.profiles)
	s.namespaces[namespace] = of.Labels
	return nil
}

// ReadRules returns the policies and profiles of a cluster.
func ReadRules(ctx context.Context, cluster client.Reader) (policies []*policy.Policy, profiles []*policy.Profile,
	err error) {
	var policyList v1alpha1.SysctlPolicyList
	if err := cluster.List(ctx, &policyList); err != nil {
		return nil, nil, fmt.Errorf("list the cluster's SysctlPolicies: %w", err)
	}
	var profileList v1alpha1.SysctlProfileList
	if err := cluster.List(ctx, &profileList); err != nil {
		return nil, nil, fmt.Errorf("list the cluster's SysctlProfiles: %w", err)
	}
	for i := range policyList.Items {
		// The server ignores an invalid policy; its status says so.
		if compiled, errs := policy.CompilePolicy(&policyList.Items[i]); len(errs) == 0 {
			policies = append(policies, compiled)
		}
	}
	for i := range profileList.Items {
		compiled, _ := policy.CompileProfile(&profileList.Items[i])
		profiles = append(profiles, compiled)
	}
	return policies, profiles, nil
}
