package chart_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestLint(t *testing.T) {
	if output, problem, err := helm(t, "", "lint", "--strict", chart); err != nil {
		t.Errorf("helm lint: %v\n%s%s", err, output, problem)
	}
}

// The API server accepts each object, and knows each of its fields.
func TestAPIServerAccepts(t *testing.T) {
	suite.Cluster(t)
	accepted := map[string]bool{}
	for name, set := range renderings() {
		for _, object := range decode(t, render(t, elsewhere, set)) {
			content, err := object.MarshalJSON()
			must(t, err)
			if accepted[string(content)] {
				continue
			}
			accepted[string(content)] = true
			err = admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object),
				client.FieldOwner("test"), client.DryRunAll, client.ForceOwnership)
			if err != nil {
				t.Errorf("%s: %s %q: %v", name, object.GetKind(), object.GetName(), err)
			}
		}
	}
}

// These hold for every combination of values.
func TestEveryRenderingIsConsistent(t *testing.T) {
	for name, set := range renderings() {
		t.Run(name, func(t *testing.T) {
			objects := decode(t, render(t, elsewhere, set))
			for _, object := range objects {
				if object.GetLabels()[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy {
					t.Errorf("%s %q says that the server manages it", object.GetKind(), object.GetName())
				}
				if object.GetLabels()["app.kubernetes.io/name"] != release ||
					object.GetLabels()["app.kubernetes.io/instance"] != release {
					t.Errorf("%s %q has the labels %v", object.GetKind(), object.GetName(), object.GetLabels())
				}
				if into := object.GetNamespace(); into != "" && into != elsewhere {
					t.Errorf("%s %q is in namespace %s", object.GetKind(), object.GetName(), into)
				}
				if raw, _ := object.MarshalJSON(); strings.Contains(string(raw), namespace) {
					t.Errorf("%s %q names %s, and the release is in %s", object.GetKind(), object.GetName(), namespace,
						elsewhere)
				}
			}
			var deployment appsv1.Deployment
			convert(t, find(t, objects, "Deployment", release), &deployment)
			pod := deployment.Spec.Template
			wanted := strings.Contains(set, "hostNetwork: true")
			if pod.Spec.HostNetwork != wanted {
				t.Errorf("hostNetwork is %t", pod.Spec.HostNetwork)
			}
			pod.Spec.HostNetwork = false // the only field that restricted rejects
			checkRestricted(t, pod.ObjectMeta, pod.Spec)
			if !*pod.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem {
				t.Error("the root filesystem can be written to")
			}
			checkSelectors(t, objects, pod.Labels)
			checkArguments(t, pod.Spec)
		})
	}
}

// checkRestricted checks that a pod meets Pod Security's strictest standard.
func checkRestricted(t *testing.T, metadata metav1.ObjectMeta, spec corev1.PodSpec) {
	t.Helper()
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	must(t, err)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	if result := podsecurity.AggregateCheckResults(evaluator.EvaluatePod(level, &metadata, &spec)); !result.Allowed {
		t.Errorf("Pod Security: %s", result.ForbiddenDetail())
	}
}

// checkSelectors checks that every selector of pods selects the server's pods.
func checkSelectors(t *testing.T, objects []*unstructured.Unstructured, pod map[string]string) {
	t.Helper()
	for _, object := range objects {
		var selector *metav1.LabelSelector
		switch object.GetKind() {
		case "Service":
			var service corev1.Service
			convert(t, object, &service)
			selector = &metav1.LabelSelector{MatchLabels: service.Spec.Selector}
		case "PodDisruptionBudget":
			var budget policyv1.PodDisruptionBudget
			convert(t, object, &budget)
			selector = budget.Spec.Selector
		case "NetworkPolicy":
			var network networkingv1.NetworkPolicy
			convert(t, object, &network)
			selector = &network.Spec.PodSelector
		case "Deployment":
			var deployment appsv1.Deployment
			convert(t, object, &deployment)
			selector = deployment.Spec.Selector
			for _, constraint := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
				if diff := cmp.Diff(selector, constraint.LabelSelector); diff != "" {
					t.Errorf("topology spread constraint (-selector +constraint):\n%s", diff)
				}
			}
		default:
			continue
		}
		parsed, err := metav1.LabelSelectorAsSelector(selector)
		must(t, err)
		if parsed.Empty() || !parsed.Matches(labels.Set(pod)) {
			t.Errorf("%s selects %s, and the pods have %v", object.GetKind(), parsed, pod)
		}
	}
}

// checkArguments lets the program itself parse its arguments.
func checkArguments(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	var problem strings.Builder
	args := append(slices.Clone(pod.Containers[0].Args), "--help")
	if code := app.Run(args, strings.NewReader(""), io.Discard, &problem); code != 0 {
		t.Errorf("sysctl-injector %s: exit code %d, %s", strings.Join(args, " "), code, problem.String())
	}
	// After the delay, the requests in flight have half a minute (webhook/admission).
	for _, arg := range args {
		text, found := strings.CutPrefix(arg, "--shutdown-delay=")
		if !found {
			continue
		}
		delay, err := time.ParseDuration(text)
		must(t, err)
		if grace, needed := time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second,
			delay+30*time.Second; grace <= needed {
			t.Errorf("the kubelet kills it after %s, and it may take %s", grace, needed)
		}
	}
}

// convert reads an object into its type; a field that the type does not have is an error.
func convert(t testing.TB, object *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into,
		true); err != nil {
		t.Fatalf("%s %q: %v", object.GetKind(), object.GetName(), err)
	}
}
