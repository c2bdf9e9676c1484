package clustertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
)

// policiesCompileSafely is the version since which the API server may compile ValidatingAdmissionPolicies while it
// evaluates others. Before it, both use one map without a lock, and now and then the API server ends with "concurrent
// map read and map write" (kubernetes/kubernetes#135757).
var policiesCompileSafely = version.MajorMinor(1, 36)

// PoliciesCompileSafely reports whether pods may be created while policies change.
func PoliciesCompileSafely(client kubernetes.Interface) (bool, error) {
	server, err := client.Discovery().ServerVersion()
	if err != nil {
		return false, err
	}
	return version.MustParseGeneric(server.GitVersion).AtLeast(policiesCompileSafely), nil
}

const (
	// settledPatience is for one policy.
	settledPatience = time.Minute
	// typesPace is slow: policies are large, and reading them takes processor time from the check of their types.
	typesPace = 250 * time.Millisecond
)

// SettlePolicies returns when the API server has compiled each ValidatingAdmissionPolicy for the last time, if its
// version needs that before pods are created. Each policy is compiled again when the controller that checks its types
// has written its status. After that comes one more policy, without variables: it is in force when everything before
// it is compiled.
func SettlePolicies(ctx context.Context, client kubernetes.Interface) error {
	if safe, err := PoliciesCompileSafely(client); err != nil || safe {
		return err
	}
	list, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		if err := awaitTypes(ctx, client, list.Items[i].Name); err != nil {
			return err
		}
	}
	return awaitCompiled(ctx, client)
}

// awaitTypes waits until the controller has checked the types of one policy.
func awaitTypes(ctx context.Context, client kubernetes.Interface, name string) error {
	return await.Condition(ctx, "the types of policy "+name+" to be checked", typesPace, settledPatience,
		func(ctx context.Context) (bool, error) {
			policy, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().
				Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return true, nil // deleted meanwhile
			}
			return err == nil && policy.Status.ObservedGeneration >= policy.Generation, err
		})
}

// awaitCompiled waits until a new policy is in force. Each call has a policy of its own name: the API server enforces a
// deleted policy for a moment longer.
func awaitCompiled(ctx context.Context, client kubernetes.Interface) error {
	name := "sysctl-injector-e2e-settled-" + strings.ToLower(rand.Text())
	policy, binding, marker := settledPolicy(name)
	policies := client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	if _, err := policies.Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create policy %s: %w", name, err)
	}
	bindings := client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	if _, err := bindings.Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create binding %s: %w", name, err)
	}
	err := await.Condition(ctx, "all policies to be compiled", 20*time.Millisecond, settledPatience,
		func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, marker,
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
				return true, nil
			}
			return false, err
		})
	return errors.Join(err,
		bindings.Delete(ctx, name, metav1.DeleteOptions{}),
		policies.Delete(ctx, name, metav1.DeleteOptions{}))
}

// settledPolicy rejects one ConfigMap, which only SettlePolicies creates.
func settledPolicy(name string) (*admissionregistrationv1.ValidatingAdmissionPolicy,
	*admissionregistrationv1.ValidatingAdmissionPolicyBinding, *corev1.ConfigMap) {
	meta := metav1.ObjectMeta{Name: name}
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
			ObjectMeta: meta,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionregistrationv1.MatchResources{
					ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
						ResourceNames: []string{name},
						RuleWithOperations: admissionregistrationv1.RuleWithOperations{
							Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
							Rule: admissionregistrationv1.Rule{
								APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"},
							},
						},
					}},
				},
				Validations: []admissionregistrationv1.Validation{{Expression: "false",
					Message: "all policies are compiled"}},
			},
		}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: meta,
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{
					admissionregistrationv1.Deny},
			},
		}, &corev1.ConfigMap{ObjectMeta: meta}
}
