package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
)

// The versions that the guard is for.
const oldestMinor, newestMinor = 31, 37

// TestGuardVersions compares the guard for each version up to the API server's with Pod Security of that version, on
// every upstream fixture and on random pods. The guards are installed side by side, each for one namespace per
// standard.
func TestGuardVersions(t *testing.T) {
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	must(t, err)
	admin, unguarded := clientset(t), newNamespace(t, nil)
	pods := defaulted(t, unguarded)
	last := min(int(server(t).minor), newestMinor)
	installBeside(t, oldestMinor, last)
	for minor := oldestMinor; minor <= last; minor++ {
		for _, level := range levels {
			t.Run(fmt.Sprintf("1.%d at %s", minor, level), func(t *testing.T) {
				namespace := newNamespace(t, nil)
				holdTo(t, namespace, minor, level)
				at := api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}
				eachParallel(len(pods), func(n int) {
					pod := pods[n]
					if minor < 33 && level == api.LevelRestricted && hasImageVolume(pod) {
						return // Pod Security allows them since the code of 1.33, whatever version it is asked for
					}
					want := ""
					result := podsecurity.AggregateCheckResults(evaluator.EvaluatePod(at, &pod.ObjectMeta, &pod.Spec))
					if !result.Allowed {
						want = fmt.Sprintf("%q: %s", string(level)+":latest", result.ForbiddenDetail())
					}
					_, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
					if got := verdict(err); violations(got) != want || (got == "") != (want == "") {
						t.Errorf("pod %d\n  Pod Security: %s\n  guard:        %s\n%s", n, want, got, asYAML(t, pod))
					}
				})
			})
		}
	}
}

// defaulted returns the pods to compare, with the API server's defaults. It leaves out pods that the API server rejects
// everywhere.
func defaulted(t *testing.T, namespace string) []*corev1.Pod {
	t.Helper()
	admin := clientset(t)
	var asked []*corev1.Pod
	for _, pod := range fixtures(t) {
		asked = append(asked, pod)
	}
	for seed := range uint64(300) {
		asked = append(asked, newGenerator(seed).pod())
	}
	admitted := make([]*corev1.Pod, len(asked))
	eachParallel(len(asked), func(n int) {
		pod := copyOf(asked[n])
		pod.Spec.ServiceAccountName = "granted"
		if created, err := admin.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun); err == nil {
			created.ObjectMeta = metav1.ObjectMeta{Name: "pod", Annotations: created.Annotations}
			admitted[n] = created
		}
	})
	var pods []*corev1.Pod
	for _, pod := range admitted {
		if pod != nil {
			pods = append(pods, pod)
		}
	}
	if len(pods) < len(asked)/2 {
		t.Fatalf("the API server takes %d of %d pods", len(pods), len(asked))
	}
	return pods
}

// holdTo puts a namespace under the guard for a version, which installBeside has installed. The namespace must exist
// before: newNamespace waits for the verdicts of the suite's own guard.
func holdTo(t *testing.T, namespace string, minor int, level api.Level) {
	t.Helper()
	admin := clientset(t)
	label := fmt.Sprintf(`{"metadata":{"labels":{"guard-version":"1.%d","guard-level":%q}}}`, minor, level)
	_, err := admin.CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, []byte(label),
		metav1.PatchOptions{})
	must(t, err)
	marker := plainPod()
	marker.Spec.HostPID = true
	eventually(t, fmt.Sprintf("the guard for 1.%d", minor), func(ctx context.Context) (bool, error) {
		_, err := admin.CoreV1().Pods(namespace).Create(ctx, marker, dryRun)
		return violations(verdict(err)) != "", nil
	})
}

// installBeside installs the guards for versions under names of their own, for namespaces labelled with the version.
func installBeside(t *testing.T, first, last int) {
	t.Helper()
	admin, err := newClient(suite.Cluster(t))
	must(t, err)
	var beside []client.Object
	for minor := first; minor <= last; minor++ {
		beside = append(beside, standardsOf(t, fmt.Sprintf("1.%d", minor))...)
	}
	t.Cleanup(func() {
		for _, object := range beside {
			_ = admin.Delete(context.Background(), object)
		}
	})
	must(t, applyPolicies(t.Context(), suite.Cluster(t), admin, beside))
}

// standardsOf renders the policies of both standards for a version.
func standardsOf(t *testing.T, version string) []client.Object {
	t.Helper()
	objects, err := guard.Render(guard.Config{Images: []string{currentImage}, KubernetesVersion: version})
	must(t, err)
	var standards []client.Object
	for _, object := range objects {
		policy, is := object.(*admissionregistrationv1.ValidatingAdmissionPolicy)
		level := strings.TrimPrefix(object.GetName(), "sysctl-injector-")
		if !is || level != string(api.LevelBaseline) && level != string(api.LevelRestricted) {
			continue
		}
		policy.Name += "-" + version
		// With a wildcard version, types are not checked. The check takes long, and TestGuardTypes waits for it.
		for i := range policy.Spec.MatchConstraints.ResourceRules {
			policy.Spec.MatchConstraints.ResourceRules[i].APIVersions = []string{"*"}
		}
		// Without the reason why the namespace is held to the standard: these namespaces have no such label.
		policy.Spec.Validations[0].MessageExpression = `'violates PodSecurity "` + level +
			`:latest": ' + variables.violations.join(', ')`
		standards = append(standards, policy, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1",
				Kind: "ValidatingAdmissionPolicyBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
			Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        policy.Name,
				ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
				MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
					MatchLabels: labels{"guard-version": version, "guard-level": level},
				}},
			},
		})
	}
	return standards
}

func hasImageVolume(pod *corev1.Pod) bool {
	for _, volume := range pod.Spec.Volumes {
		if volume.Image != nil {
			return true
		}
	}
	return false
}
