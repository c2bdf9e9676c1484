package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// trialPolicy is a policy for one namespace that allows net.core.* alone, with further fields of its spec.
func trialPolicy(namespace, spec string) string {
	return fmt.Sprintf("apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlPolicy\nmetadata: {name: %[1]s}\n"+
		"spec:\n  namespaceSelector: {matchLabels: {%[2]s: %[1]s}}\n"+
		"  allow: [{names: [net.core.*]}]\n%[3]s\n", namespace, corev1.LabelMetadataName, spec)
}

// An administrator tries a stricter policy: pods are created as before, the person at the terminal is warned, and the
// policy's status counts.
func TestPolicyOnTrial(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(trialPolicy(namespace, "  validationActions: [Warn, Audit]\n  replaces: [default]"), "apply", "-f", "-")
	t.Cleanup(func() {
		_ = suite.Cluster(t).Command(context.Background(), "kubectl", "delete", "sysctlpolicy", namespace).Run()
	})
	const warning = "Warning: SysctlPolicy %s, on trial, would reject this pod: NotAllowedByPolicy: line 1: " +
		"net.ipv4.tcp_fin_timeout is not allowed by any SysctlPolicy"
	outside := newPod("outside", "net.ipv4.tcp_fin_timeout = 30")
	eventually(t, "the policy to be tried", func(context.Context) (bool, error) {
		_, stderr, err := k.run(manifest(t, outside), "create", "--dry-run=server", "-f", "-")
		return strings.Contains(stderr, fmt.Sprintf(warning, namespace)), err
	})
	for _, pod := range []*corev1.Pod{outside, newPod("inside", "net.core.somaxconn = 1024")} {
		_, stderr, err := k.run(manifest(t, pod), "create", "-f", "-")
		if err != nil || strings.Contains(stderr, "on trial") != (pod == outside) {
			t.Errorf("pod %s: %v: %s", pod.Name, err, stderr)
		}
	}
	wantInjected(t, getPod(t, namespace, "outside"), "net.ipv4.tcp_fin_timeout=30")
	// The servers of other tests count, too, and have seen no such pod.
	eventually(t, "the status to count the pod", func(context.Context) (bool, error) {
		out, stderr, err := k.run("", "get", "sysctlpolicy", namespace, "-o",
			"jsonpath={.status.trial.wouldReject} {.status.trial.servers[?(@.wouldReject>0)].wouldReject}")
		if err != nil {
			return false, fmt.Errorf("%w: %s", err, stderr)
		}
		return out == "1 1", nil
	})
	if row := k.must("", "get", "sysctlpolicy", namespace, "--no-headers"); !strings.Contains(row, `["Warn","Audit"]`) {
		t.Errorf("kubectl get says %s", row)
	}

	// In force, it allows what it lists, and the trial ends.
	k.must(trialPolicy(namespace, "  validationActions: [Deny]\n"), "replace", "-f", "-")
	eventually(t, "the trial to leave the status", func(context.Context) (bool, error) {
		out, _, err := k.run("", "get", "sysctlpolicy", namespace, "-o", "jsonpath={.status.trial}")
		return out == "", err
	})
}

// The API server rejects a policy that contradicts itself, with the same message as the commands that read files.
func TestContradictoryPolicyIsRejected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	k := newTerminal(t, namespace)
	for spec, want := range map[string]string{
		"  validationActions: [Deny, Warn]":                         "Deny and Warn must not be together",
		"  replaces: [default]":                                     "is only for a policy on trial",
		"  validationActions: [Deny, Audit]\n  replaces: [default]": "is only for a policy on trial",
		"  validationActions: []":                                   "spec.validationActions",
		"  validationActions: [Warn, Warn]":                         "Duplicate value",
		"  validationActions: [warn]":                               "Unsupported value",
	} {
		k.rejects(want, trialPolicy(namespace, spec), "create", "--dry-run=server", "-f", "-")
	}
	k.must(trialPolicy(namespace, "  validationActions: [Deny, Audit]"), "create", "--dry-run=server", "-f", "-")
	k.must(trialPolicy(namespace, "  validationActions: [Warn, Audit]"), "create", "--dry-run=server", "-f", "-")
}
