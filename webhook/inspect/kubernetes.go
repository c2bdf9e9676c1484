package inspect

import "github.com/sysctl-injector/sysctl-injector/webhook/form"

// ValidatingPolicies is the name in APIServer.Served of the kind of the guard's policies.
const ValidatingPolicies = admissionGroup + "validatingadmissionpolicies"

// The API versions and resources that checks look for.
const (
	admissionGroup         = "admissionregistration.k8s.io/v1/"
	servesMutatingPolicies = admissionGroup + "mutatingadmissionpolicies"
	certManagerGroup       = "cert-manager.io/v1/"
	servesCertificates     = certManagerGroup + "certificates"
	servesIssuers          = certManagerGroup + "issuers"
)

// The versions that the guard supports, and the version with PodSecurityPolicies that is tested.
const (
	oldestKubernetes = 31
	podSecurityMinor = 24
)

// APIServer holds the version and the APIs of an API server.
type APIServer struct {
	Version string
	// Served holds "GROUP/VERSION/RESOURCE" of the resources that checks need.
	Served map[string]bool
}

// Minor returns the minor version, or 0 if the version cannot be read.
func (a APIServer) Minor() uint {
	if a.Version == "" {
		return 0
	}
	minor, err := form.ParseKubernetes(a.Version)
	if err != nil {
		return 0
	}
	return minor
}

// JudgeKubernetes judges the version and the APIs. The backend of grants is empty before an install.
//
//	Kubernetes      backend     verdict
//	1.31 to newest  vap, scc    passed
//	newer           vap, scc    a warning: the guard has the standards of the newest known version
//	1.24            psp         a warning for each missing feature
//	any other                   failed, also one that cannot be read
func JudgeKubernetes(server APIServer, backend string) []Check {
	minor := server.Minor()
	if backend == "" {
		backend = backendVAP
		if minor <= podSecurityMinor {
			backend = backendPSP
		}
	}
	const upgrade = "upgrade Kubernetes, or use 1.24 with PodSecurityPolicies and grants.backend: psp"
	var checks []Check
	switch {
	case minor == 0:
		checks = append(checks, QuestionVersion.Fail("",
			"%q is not a version of Kubernetes that sysctl-injector knows, so there is no guard for it",
			server.Version).
			fix("see docs/compatibility.md for the supported versions", ""))
	case minor > form.NewestKubernetes:
		checks = append(checks, QuestionVersion.Warn("",
			"this version of sysctl-injector does not know Kubernetes %s yet: the guard has the standards of 1.%d",
			server.Version, form.NewestKubernetes).
			fix("use a newer version of sysctl-injector", ""))
	case minor >= oldestKubernetes:
		checks = append(checks, QuestionVersion.Pass("Kubernetes %s is supported", server.Version))
	case minor == podSecurityMinor:
		checks = append(checks, QuestionVersion.Warn("",
			"Kubernetes %s is supported only with PodSecurityPolicies, and without the guard", server.Version).
			fix("set grants.backend: psp, and see docs/compatibility.md", ""))
	default:
		checks = append(checks, QuestionVersion.Fail("", "Kubernetes %s is not supported: 1.%d or later is",
			server.Version, oldestKubernetes).
			fix(upgrade, ""))
	}
	if minor == 0 {
		return checks
	}
	for _, missing := range Lacking(minor, backend) {
		checks = append(checks, QuestionFeature.Warn("", "Kubernetes %s lacks %s: %s", server.Version, missing.Name,
			missing.Effect).
			fix("see docs/compatibility.md for the consequences", ""))
	}
	return append(checks, judgeAPIs(server, minor)...)
}

func judgeAPIs(server APIServer, minor uint) []Check {
	var checks []Check
	if server.Served[ValidatingPolicies] {
		checks = append(checks, QuestionPolicyAPI.Pass("ValidatingAdmissionPolicy is served: the guard can work"))
	} else if minor >= oldestKubernetes {
		checks = append(checks, QuestionPolicyAPI.Fail("",
			"the API server does not serve ValidatingAdmissionPolicy, so there can be no guard").
			fix("enable admissionregistration.k8s.io/v1 by the API server's --runtime-config", ""))
	}
	if minor >= oldestKubernetes {
		checks = append(checks, QuestionMatchConditions.Pass(
			"webhooks have matchConditions: an outage of the webhook rejects only pods that request sysctls"))
	}
	if server.Served[servesMutatingPolicies] {
		return append(checks, QuestionMutatingAPI.Pass(
			"MutatingAdmissionPolicy is served: pods can also be injected without a server"))
	}
	return append(checks, QuestionMutatingAPI.Pass(
		"MutatingAdmissionPolicy is not served: only injecting without a server needs it"))
}

// Sources of the serving certificate, as values of the chart.
const (
	CertManager    = "cert-manager"
	SelfManaged    = "self-managed"
	ExistingSecret = "existing-secret"
)

// CertificateSources lists all sources.
func CertificateSources() []string { return []string{CertManager, SelfManaged, ExistingSecret} }

// JudgeCertManager checks before an install whether the cert-manager APIs that the chart needs exist.
func JudgeCertManager(server APIServer, source string) []Check {
	switch {
	case source != CertManager:
		return []Check{QuestionCertManager.Pass("cert-manager is not needed: the certificate's source is %s", source)}
	case server.Served[servesCertificates] && server.Served[servesIssuers]:
		return []Check{QuestionCertManager.Pass("cert-manager's CRDs are installed")}
	}
	return []Check{QuestionCertManager.Fail("",
		"cert-manager's CRDs are not installed, so the chart cannot be installed with its default values").
		fix(
			"install cert-manager first (https://cert-manager.io), or let the servers make their certificates: "+
				"--set certificates.source=self-managed", "")}
}
