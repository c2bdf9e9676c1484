package psp_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// check names what Kubernetes 1.24 lacks, and finds there what the chart installs for it.
func TestCheckNamesWhatIsMissing(t *testing.T) {
	output, err := suite.Cluster(t).Command(t.Context(), installed.Program, "check", "-o", "json").Output()
	var report struct{ Checks []inspect.Check }
	if json.Unmarshal(output, &report) != nil {
		t.Fatalf("%v: %s", err, output)
	}
	const version = "Kubernetes v1.24.17 "
	want := []string{
		"Warning KubernetesVersion: " + version + "is supported only with PodSecurityPolicies, and without the guard",
		"Warning KubernetesFeature: " + version + "lacks matchConditions: the webhook is called for every pod in " +
			"enrolled namespaces, and while it is down all of them are rejected",
		"Warning KubernetesFeature: " + version + "lacks ValidatingAdmissionPolicy: there is no guard: nothing holds " +
			"the other containers of enrolled namespaces to a standard, and nothing bounds what this server may write",
	}
	var got []string
	for _, c := range report.Checks {
		switch c.Name {
		// The suite runs no node, and puts neither the Deployment's pods nor its Secret into the cluster.
		case inspect.QuestionKernel.Name, inspect.QuestionReplicas.Name, inspect.QuestionServerVersion.Name,
			inspect.QuestionCertificate.Name:
			continue
		}
		if c.Status != inspect.Passed {
			got = append(got, string(c.Status)+" "+c.Name+": "+c.Message)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
