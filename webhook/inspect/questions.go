package inspect

import "slices"

// The questions of a report.
var (
	QuestionVersion         = Question{SectionKubernetes, "KubernetesVersion"}
	QuestionFeature         = Question{SectionKubernetes, "KubernetesFeature"}
	QuestionPolicyAPI       = Question{SectionKubernetes, "ValidatingAdmissionPolicyAPI"}
	QuestionMatchConditions = Question{SectionKubernetes, "MatchConditions"}
	QuestionMutatingAPI     = Question{SectionKubernetes, "MutatingAdmissionPolicyAPI"}
	QuestionCertManager     = Question{SectionKubernetes, "CertManager"}
	QuestionPermissions     = Question{SectionKubernetes, "Permissions"}

	QuestionKernel           = Question{SectionNodes, "NodeKernel"}
	QuestionKubelet          = Question{SectionNodes, "NodeKubelet"}
	QuestionAllowed          = Question{SectionNodes, "KubeletSysctls"}
	QuestionUserNamespace    = Question{SectionNodes, "NodeUserNamespaces"}
	QuestionUserNamespaceIPC = Question{SectionNodes, "NodeUserNamespacesIPC"}
	QuestionGuests           = Question{SectionNodes, "NodeGuestKernels"}
	QuestionRuntimeClass     = Question{SectionNodes, "RuntimeClassKeys"}

	QuestionDefinition    = Question{SectionInstallation, "CustomResourceDefinition"}
	QuestionEntry         = Question{SectionInstallation, "WebhookEntry"}
	QuestionCertificate   = Question{SectionInstallation, "Certificate"}
	QuestionIssued        = Question{SectionInstallation, "CertManagerCertificate"}
	QuestionCABundle      = Question{SectionInstallation, "CABundle"}
	QuestionReplicas      = Question{SectionInstallation, "ServerReplicas"}
	QuestionServerVersion = Question{SectionInstallation, "ServerVersion"}
	QuestionEndpoints     = Question{SectionInstallation, "ServerEndpoints"}
	QuestionLeader        = Question{SectionInstallation, "ServerLeader"}
	QuestionRights        = Question{SectionInstallation, "ServerRights"}
	QuestionBounds        = Question{SectionInstallation, "ServerBounds"}

	QuestionGuard         = Question{SectionGuard, "Guard"}
	QuestionGuardImages   = Question{SectionGuard, "GuardImages"}
	QuestionGuardSettings = Question{SectionGuard, "GuardSettings"}

	QuestionPolicies = Question{SectionPolicies, "Policies"}
	QuestionReady    = Question{SectionPolicies, "PolicyReady"}

	QuestionNamespace   = Question{SectionNamespaces, "NamespaceKeys"}
	QuestionExcluded    = Question{SectionNamespaces, "NamespaceExcluded"}
	QuestionPodSecurity = Question{SectionNamespaces, "NamespacePodSecurity"}
	QuestionUnguarded   = Question{SectionNamespaces, "NamespaceUnguarded"}

	QuestionMissing = Question{SectionGrants, "GrantMissing"}
	QuestionStray   = Question{SectionGrants, "GrantStray"}
)

// Questions lists all questions, in the order of the report.
func Questions() []Question {
	return []Question{
		QuestionVersion, QuestionFeature, QuestionPolicyAPI, QuestionMatchConditions, QuestionMutatingAPI,
		QuestionCertManager, QuestionPermissions,
		QuestionKernel, QuestionKubelet, QuestionAllowed, QuestionUserNamespace, QuestionUserNamespaceIPC,
		QuestionGuests, QuestionRuntimeClass,
		QuestionDefinition, QuestionEntry, QuestionCertificate, QuestionIssued, QuestionCABundle, QuestionReplicas,
		QuestionServerVersion,
		QuestionEndpoints, QuestionLeader, QuestionRights, QuestionBounds,
		QuestionGuard, QuestionGuardImages, QuestionGuardSettings,
		QuestionPolicies, QuestionReady,
		QuestionNamespace, QuestionExcluded, QuestionPodSecurity, QuestionUnguarded,
		QuestionMissing, QuestionStray,
	}
}

// Sort puts checks in the order of the questions. Checks of one question stay in their order.
func Sort(checks []Check) {
	questions := Questions()
	place := func(c Check) int { return slices.Index(questions, Question{c.Section, c.Name}) }
	slices.SortStableFunc(checks, func(a, b Check) int { return place(a) - place(b) })
}
