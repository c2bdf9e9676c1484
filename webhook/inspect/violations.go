package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Workload is a pod, or an object that creates pods from a template.
type Workload struct {
	Kind, Name string
	Metadata   metav1.ObjectMeta // of the pod
	Spec       corev1.PodSpec
}

// Violation is a workload whose pods the guard would reject.
type Violation struct {
	Workload Workload
	Why      string // the message of Pod Security admission
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %q: %s", v.Workload.Kind, v.Workload.Name, v.Why)
}

// Violations judges workloads by a standard as the guard for a version of Kubernetes does: with Pod Security
// admission's own checks of that version, on all that is no exception.
func Violations(workloads []Workload, level, kubernetes string, exceptions Exceptions) ([]Violation, error) {
	parsed, err := psaapi.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("load Pod Security's checks: %w", err)
	}
	isInjected, err := form.Recognizer(exceptions.Images)
	if err != nil {
		return nil, err
	}
	standard := psaapi.LevelVersion{Level: parsed, Version: StandardsVersion(kubernetes)}
	var violations []Violation
	for _, w := range workloads {
		spec := w.Spec
		if len(spec.InitContainers) > 0 && isInjected(spec.InitContainers[0]) {
			spec.InitContainers = spec.InitContainers[1:]
			// API servers before 1.34 write the injected container's AppArmor profile as an annotation too.
			w.Metadata.Annotations = maps.Clone(w.Metadata.Annotations)
			delete(w.Metadata.Annotations,
				corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+v1alpha1.ContainerName)
		}
		if spec.SecurityContext != nil {
			spec.SecurityContext = exceptions.withoutWritten(w.Metadata.Annotations, *spec.SecurityContext)
		}
		results := evaluator.EvaluatePod(standard, &w.Metadata, &spec)
		if all := psapolicy.AggregateCheckResults(results); !all.Allowed {
			violations = append(violations, Violation{w, all.ForbiddenDetail()})
		}
	}
	return violations, nil
}

// withoutWritten returns the security context of a pod without the native sysctls that the webhook has written and the
// guard admits. The status annotation names them.
func (e Exceptions) withoutWritten(
	annotations map[string]string, context corev1.PodSecurityContext,
) *corev1.PodSecurityContext {
	if !pod.AskForSysctls(annotations) {
		return &context
	}
	var status injection.Status
	_ = json.Unmarshal([]byte(annotations[v1alpha1.StatusAnnotation]), &status) // an unreadable one names nothing
	context.Sysctls = slices.DeleteFunc(slices.Clone(context.Sysctls), func(s corev1.Sysctl) bool {
		return slices.Contains(status.Native, s.Name+"="+s.Value) &&
			slices.ContainsFunc(e.KubeletSysctls, func(text string) bool {
				pattern, err := sysctl.ParsePattern(text)
				return err == nil && pattern.Matches(s.Name)
			})
	})
	return &context
}

// StandardsVersion returns the version of the Pod Security Standards that a version of Kubernetes has: its own. A
// version that is newer than the newest known one, or cannot be read, has the standards of the newest.
func StandardsVersion(kubernetes string) psaapi.Version {
	minor, err := form.ParseKubernetes(kubernetes)
	if err != nil {
		minor = form.NewestKubernetes
	}
	return psaapi.MajorMinorVersion(1, int(min(minor, form.NewestKubernetes)))
}
