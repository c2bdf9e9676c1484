package app

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// checkDefaults checks that the profiles of --defaults apply by default in a namespace with these labels, and prints
// all profiles that do.
func (o *enrollOptions) checkDefaults(ctx context.Context, shared *terms, namespace map[string]string) error {
	var list v1alpha1.SysctlProfileList
	if err := listAll(ctx, shared.cluster, &list); err != nil {
		return fmt.Errorf("list the SysctlProfiles: %w", err)
	}
	var profiles []*policy.Profile
	for i := range list.Items {
		// An invalid profile makes the webhook reject pods; the command check reports it.
		compiled, _ := policy.CompileProfile(&list.Items[i])
		profiles = append(profiles, compiled)
	}
	rules := policy.NewSet(nil, profiles)
	for _, name := range o.defaults {
		if problem := rules.WhyNoDefault(name, namespace); problem != "" {
			return fmt.Errorf("--defaults: %s", problem)
		}
	}
	fmt.Fprintf(shared.questions, "SysctlProfiles that apply to pods of namespace %q by default: %s\n",
		namespace[corev1.LabelMetadataName], strings.Join(rules.DefaultsIn(namespace), ", "))
	return nil
}
