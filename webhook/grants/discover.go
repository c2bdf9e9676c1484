package grants

import (
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
)

// mechanisms are the resources that identify the backend of a cluster. The first one that the cluster serves decides.
// OpenShift also serves ValidatingAdmissionPolicies, but its SecurityContextConstraints must admit the pod too.
var mechanisms = []struct {
	groupVersion, resource string
	backend                Backend
	because                string
}{
	{
		"security.openshift.io/v1", "securitycontextconstraints", SecurityContextConstraints,
		"it has SecurityContextConstraints",
	},
	{
		"admissionregistration.k8s.io/v1", "validatingadmissionpolicies", ValidatingAdmissionPolicy,
		"it has ValidatingAdmissionPolicies",
	},
	{
		"policy/v1beta1", "podsecuritypolicies", PodSecurityPolicy,
		"it has PodSecurityPolicies, and no ValidatingAdmissionPolicies",
	},
}

// Discover returns the backend that a cluster needs, and the reason as the end of a sentence.
func Discover(cluster discovery.ServerResourcesInterface) (backend Backend, because string, err error) {
	for _, m := range mechanisms {
		served, err := serves(cluster, m.groupVersion, m.resource)
		if err != nil {
			return "", "", fmt.Errorf("ask the cluster whether it has %s.%s: %w", m.resource, m.groupVersion, err)
		}
		if served {
			return m.backend, m.because, nil
		}
	}
	return ValidatingAdmissionPolicy, "it has none of SecurityContextConstraints, ValidatingAdmissionPolicies and " +
		"PodSecurityPolicies, so nothing there asks for grants", nil
}

func serves(cluster discovery.ServerResourcesInterface, groupVersion, resource string) (bool, error) {
	list, err := cluster.ServerResourcesForGroupVersion(groupVersion)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }), nil
}
