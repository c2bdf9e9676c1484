package admission

import "github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"

// Where pods are decided upon, and workloads looked at. DefaultsPath is for namespaces in which profiles may apply to
// pods that ask for nothing: a review does not say which entry it is for.
const (
	MutatePath    = "/mutate-pods"
	DefaultsPath  = MutatePath + "/defaults"
	WorkloadsPath = "/warn-workloads"
)

// The names of the entries, as the API server's messages have them.
const (
	PodsEntry        = "pods." + v1alpha1.GroupName
	PlainPodsEntry   = "plain.pods." + v1alpha1.GroupName
	DefaultPodsEntry = "defaults.pods." + v1alpha1.GroupName
	WorkloadsEntry   = "workloads." + v1alpha1.GroupName
)
