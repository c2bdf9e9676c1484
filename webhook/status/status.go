// Package status judges from a pod whether its sysctls took effect, and from an Event which workload's pods were
// rejected and why.
//
// It is pure. The command `sysctl-injector status` lists the objects and prints the results.
package status

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// State is the progress of a pod's sysctls.
type State string

// The states.
const (
	// Set means that all sysctls have their values: the init container has set them, or the kubelet.
	Set State = "Set"
	// Verified means that the init container has found the wanted values, and has set nothing.
	Verified State = "Verified"
	// Waiting means that the init container has not started or, if the sysctls are native, that no container has.
	Waiting State = "Waiting"
	// Running means that the init container runs.
	Running State = "Running"
	// Failed means that the sysctls were not set, or do not have the wanted values. No container of the app starts.
	Failed State = "Failed"
	// Unknown means that the pod has no readable status annotation.
	Unknown State = "Unknown"
)

// Pod is the printed state of an injected pod.
type Pod struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	UID       types.UID   `json:"-"`
	Created   metav1.Time `json:"created"`
	Node      string      `json:"node,omitempty"`
	// Owner is the workload that owns the pod; nil if there is none.
	Owner *Owner `json:"owner,omitempty"`
	// Form is the form by which the sysctls are set.
	Form   string          `json:"form,omitempty"`
	Kernel v1alpha1.Kernel `json:"kernel,omitempty"`
	// Sysctls are name=value, or name>=value.
	Sysctls []string `json:"sysctls,omitempty"`
	// Native are the sysctls that Kubernetes sets.
	Native []string `json:"native,omitempty"`
	// Profiles are the profiles that applied to the pod by default.
	Profiles []string `json:"profiles,omitempty"`
	State    State    `json:"state"`
	// ExitCode is the init container's exit code; nil if it has not ended.
	ExitCode *int32 `json:"exitCode,omitempty"`
	Restarts int32  `json:"restarts,omitempty"` // of the init container
	// Message says why the state is not Set or Verified.
	Message string `json:"message,omitempty"`
}

// Owner names a workload.
type Owner struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	UID        types.UID `json:"-"`
}

// String returns the owner in kubectl's notation, with the spelling of the kind.
func (o *Owner) String() string { return o.Kind + "/" + o.Name }

// OwnerOf returns the controller of an object; nil if it has none.
func OwnerOf(object metav1.Object) *Owner {
	controller := metav1.GetControllerOf(object)
	if controller == nil {
		return nil
	}
	return &Owner{controller.APIVersion, controller.Kind, controller.Name, controller.UID}
}

// Of judges a pod by its API object.
func Of(pod *corev1.Pod) Pod {
	p := Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, Created: pod.CreationTimestamp,
		Node: pod.Spec.NodeName, Owner: OwnerOf(pod)}
	text, ok := pod.Annotations[v1alpha1.StatusAnnotation]
	if !ok {
		p.State, p.Message = Unknown, fmt.Sprintf("the pod has the label %s and no annotation %s",
			v1alpha1.InjectedLabel, v1alpha1.StatusAnnotation)
		return p
	}
	var written injection.Status
	if err := json.Unmarshal([]byte(text), &written); err != nil {
		p.State = Unknown
		p.Message = fmt.Sprintf("the annotation %s cannot be read: %s", v1alpha1.StatusAnnotation, err)
		return p
	}
	p.Form, p.Kernel, p.Sysctls, p.Native, p.Profiles = written.Form, written.Kernel, written.Sysctls, written.Native,
		written.Defaults
	if p.Form == "" {
		p.Form = form.Native
	}
	switch {
	case pod.Status.Reason == sysctlForbidden:
		p.State, p.Message = Failed, said(pod.Status.Reason, pod.Status.Message)
	case written.Form == "":
		p.ofNative(pod)
	case !hasContainer(pod):
		p.State = Unknown
		p.Message = fmt.Sprintf("the annotation %s names the form %s, and the pod has no init container %s",
			v1alpha1.StatusAnnotation, p.Form, v1alpha1.ContainerName)
	default:
		p.ofContainer(pod)
	}
	return p
}

// sysctlForbidden is the reason with which a kubelet rejects a pod for native sysctls that it does not allow
// (k8s.io/kubernetes pkg/kubelet/sysctl).
const sysctlForbidden = "SysctlForbidden"

func hasContainer(pod *corev1.Pod) bool {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == v1alpha1.ContainerName {
			return true
		}
	}
	return false
}

// ofContainer judges a pod by its init container.
func (p *Pod) ofContainer(pod *corev1.Pod) {
	container := statusOf(pod.Status.InitContainerStatuses)
	if container == nil {
		p.ofNoStatus(pod)
		return
	}
	p.Restarts = container.RestartCount
	switch state := container.State; {
	case state.Terminated != nil && state.Terminated.ExitCode == 0:
		p.State, p.ExitCode = Set, &state.Terminated.ExitCode
		if p.Form == form.Verify {
			p.State = Verified
		}
	case state.Terminated != nil:
		p.failed(state.Terminated)
	case state.Running != nil && container.LastTerminationState.Terminated != nil:
		p.failed(container.LastTerminationState.Terminated) // the kubelet retries it
		p.State = Running
	case state.Running != nil:
		p.State = Running
	case container.LastTerminationState.Terminated != nil && container.LastTerminationState.Terminated.ExitCode != 0:
		p.failed(container.LastTerminationState.Terminated)
	case state.Waiting != nil && !isOrdinary(state.Waiting.Reason):
		p.State, p.Message = Waiting, said(state.Waiting.Reason, state.Waiting.Message)
	default:
		p.ofNoStatus(pod)
	}
}

// failed copies the end state of the init container.
func (p *Pod) failed(ended *corev1.ContainerStateTerminated) {
	p.State, p.ExitCode = Failed, &ended.ExitCode
	p.Message = fmt.Sprintf("exit code %d", ended.ExitCode)
	if ended.Reason != "" && ended.Reason != "Error" && ended.Reason != "Completed" {
		p.Message += " (" + ended.Reason + ")"
	}
	if ended.Message != "" {
		p.Message += ": " + ended.Message
	}
}

// ofNative judges a pod without an init container of ours: the kubelet sets the sysctls before it starts any
// container.
func (p *Pod) ofNative(pod *corev1.Pod) {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if state := list[i].State; state.Running != nil || state.Terminated != nil ||
				list[i].LastTerminationState.Terminated != nil {
				p.State = Set
				return
			}
		}
	}
	p.ofNoStatus(pod)
}

// ofNoStatus judges a pod without container status: no container runs yet, or none will ever run.
func (p *Pod) ofNoStatus(pod *corev1.Pod) {
	p.State = Waiting
	if pod.Status.Phase == corev1.PodFailed {
		p.State, p.Message = Failed, said(pod.Status.Reason, pod.Status.Message)
		return
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			p.Message = said(condition.Reason, condition.Message)
		}
	}
}

func statusOf(statuses []corev1.ContainerStatus) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == v1alpha1.ContainerName {
			return &statuses[i]
		}
	}
	return nil
}

// isOrdinary reports whether a reason is normal for a container that is about to start.
func isOrdinary(reason string) bool {
	return reason == "" || reason == "PodInitializing" || reason == "ContainerCreating"
}

// said joins a reason and a message of the API; either may be empty.
func said(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
