package inspect

import "testing"

func TestJudgeKubernetes(t *testing.T) {
	const (
		served = "Passed ValidatingAdmissionPolicyAPI: ValidatingAdmissionPolicy is served: the guard can work"
		match  = "Passed MatchConditions: webhooks have matchConditions: an outage of the webhook rejects only " +
			"pods that request sysctls"
		mutates = "Passed MutatingAdmissionPolicyAPI: MutatingAdmissionPolicy is served: pods can also be " +
			"injected without a server"
		noMutates = "Passed MutatingAdmissionPolicyAPI: MutatingAdmissionPolicy is not served: only injecting " +
			"without a server needs it"
		lacksVAP = "lacks ValidatingAdmissionPolicy: there is no guard: no standard is enforced for the other " +
			"containers in enrolled namespaces, and nothing limits what the server may write"
		lacksMatch = "lacks matchConditions: the webhook is called for every pod in enrolled namespaces, and while " +
			"it is down all of them are rejected"
	)
	for _, test := range []struct {
		name, version, backend string
		served                 []string
		want                   []string
	}{
		{"the newest version", "v1.37.2", "", []string{ValidatingPolicies, servesMutatingPolicies},
			[]string{"Passed KubernetesVersion: Kubernetes v1.37.2 is supported", served, match, mutates}},
		{"the oldest version", "v1.31.14-eks-1", "vap", []string{ValidatingPolicies},
			[]string{"Passed KubernetesVersion: Kubernetes v1.31.14-eks-1 is supported", served, match, noMutates}},
		{"a version of the future", "v1.99.0", "", []string{ValidatingPolicies, servesMutatingPolicies},
			[]string{"Warning KubernetesVersion: this version of sysctl-injector does not know Kubernetes v1.99.0 " +
				"yet: the guard has the standards of 1.37", served, match, mutates}},
		{"an API that is switched off", "v1.37.2", "", nil, []string{"Passed KubernetesVersion: Kubernetes v1.37.2 " +
			"is supported",
			"Failed ValidatingAdmissionPolicyAPI: the API server does not serve ValidatingAdmissionPolicy, so there " +
				"can be no guard", match, noMutates}},
		{"1.24, where PodSecurityPolicies take the guard's place", "v1.24.17", "psp", nil, []string{
			"Warning KubernetesVersion: Kubernetes v1.24.17 is supported only with PodSecurityPolicies, and without " +
				"the guard",
			"Warning KubernetesFeature: Kubernetes v1.24.17 " + lacksMatch, "Warning KubernetesFeature: Kubernetes " +
				"v1.24.17 " + lacksVAP, noMutates}},
		{"the same before an install", "v1.24.17", "", nil, []string{
			"Warning KubernetesVersion: Kubernetes v1.24.17 is supported only with PodSecurityPolicies, and without " +
				"the guard",
			"Warning KubernetesFeature: Kubernetes v1.24.17 " + lacksMatch, "Warning KubernetesFeature: Kubernetes " +
				"v1.24.17 " + lacksVAP, noMutates}},
		{"1.24 with the backend that needs a guard", "v1.24.17", "vap", nil, []string{
			"Warning KubernetesVersion: Kubernetes v1.24.17 is supported only with PodSecurityPolicies, and without " +
				"the guard",
			"Warning KubernetesFeature: Kubernetes v1.24.17 " + lacksMatch, "Warning KubernetesFeature: Kubernetes " +
				"v1.24.17 " + lacksVAP,
			"Warning KubernetesFeature: Kubernetes v1.24.17 lacks ValidatingAdmissionPolicy: nothing in the cluster " +
				"requires the grants of the backend vap; " +
				"on Kubernetes 1.24 and earlier use psp, on OpenShift scc", noMutates}},
		{"a version between the two", "v1.30.4", "vap", []string{ValidatingPolicies},
			[]string{"Failed KubernetesVersion: Kubernetes v1.30.4 is not supported: 1.31 or later is", served,
				noMutates}},
		{"no version", "main", "", nil, []string{`Failed KubernetesVersion: "main" is not a version of Kubernetes ` +
			`that sysctl-injector knows, so there is no guard for it`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := APIServer{Version: test.version, Served: map[string]bool{}}
			for _, s := range test.served {
				server.Served[s] = true
			}
			wantAnswers(t, JudgeKubernetes(server, test.backend), test.want...)
		})
	}
}

func TestJudgeCertManager(t *testing.T) {
	with := APIServer{Served: map[string]bool{servesCertificates: true, servesIssuers: true}}
	wantAnswers(t, JudgeCertManager(with, CertManager), "Passed CertManager: cert-manager's CRDs are installed")
	wantAnswers(t, JudgeCertManager(APIServer{}, SelfManaged), "Passed CertManager: cert-manager is not needed: the "+
		"certificate's source is self-managed")
	wantAnswers(t, JudgeCertManager(APIServer{}, CertManager),
		"Failed CertManager: cert-manager's CRDs are not installed, so the chart cannot be installed with its "+
			"default values")
}
