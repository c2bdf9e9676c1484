package psp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// check names what Kubernetes 1.24 lacks, and nothing else, once the server has judged the chart's profiles.
func TestCheckNamesWhatIsMissing(t *testing.T) {
	const version = "Kubernetes v1.24.17 "
	want := []string{
		"Warning KubernetesVersion: " + version + "is supported only with PodSecurityPolicies, and without the guard",
		"Warning KubernetesFeature: " + version + "lacks matchConditions: the webhook is called for every pod in " +
			"enrolled namespaces, and while it is down all of them are rejected",
		"Warning KubernetesFeature: " + version + "lacks ValidatingAdmissionPolicy: there is no guard: no standard is " +
			"enforced for the other containers in enrolled namespaces, and nothing limits what the server may write",
		"Unknown NamespaceUnguarded: not checked: this cluster has no guard, which would enforce the standards of " +
			"namespaces",
	}
	c := suite.Cluster(t) // its start takes longer than the wait
	eventually(t, "check to find only that", func(ctx context.Context) (string, bool) {
		got, err := findings(ctx, c)
		return fmt.Sprintf("%v\n(-want +got):\n%s", err, cmp.Diff(want, got)), err == nil && cmp.Equal(want, got)
	})
}

// findings returns the checks that do not pass. It leaves out the checks of a node, of the Deployment's pods and of its
// Secret, which the suite does not have.
func findings(ctx context.Context, c *cluster.Cluster) ([]string, error) {
	output, err := c.Command(ctx, installed.Program, "check", "-o", "json").Output()
	var report struct{ Checks []inspect.Check }
	if invalid := json.Unmarshal(output, &report); invalid != nil {
		return nil, fmt.Errorf("check: %w: %s", errors.Join(err, invalid), output)
	}
	var all []string
	for _, check := range report.Checks {
		switch check.Name {
		case inspect.QuestionKernel.Name, inspect.QuestionReplicas.Name, inspect.QuestionServerVersion.Name,
			inspect.QuestionCertificate.Name:
			continue
		}
		if check.Status != inspect.Passed {
			all = append(all, fmt.Sprintf("%s %s: %s", check.Status, check.Name, check.Message))
		}
	}
	return all, nil
}
