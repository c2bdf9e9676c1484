package source

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// ReadCluster replaces the policies and profiles by those of a cluster.
func (s *Snapshot) ReadCluster(ctx context.Context, cluster client.Reader) error {
	policies, profiles, err := ReadRules(ctx, cluster)
	if err != nil {
		return err
	}
	s.policies, s.profiles = policies, profiles
	s.set = policy.NewSet(s.policies, s.profiles)
	return nil
}

// AddNamespace adds a namespace, or replaces the namespace of the same name.
func (s *Snapshot) AddNamespace(namespace *corev1.Namespace) {
	s.namespaces[namespace.Name] = namespace.Labels
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
