package status

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const privileged = `{"version":"v1","kernel":"Shared","form":"privileged","sysctls":["net.core.somaxconn=4096"]}`

// injected is a pod with the init container, which has the state given.
func injected(status string, state corev1.ContainerStatus) *corev1.Pod {
	state.Name = "sysctl-injector"
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web",
			Annotations: map[string]string{"sysctl-injector.dev/status": status}},
		Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "sysctl-injector"}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending,
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "other"}, state}},
	}
}

func ended(code int32, reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason,
		Message: message}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func TestState(t *testing.T) {
	const verify, native = `{"form":"verify","sysctls":["vm.swappiness>=1"]}`,
		`{"sysctls":["net.core.somaxconn=4096"],"native":["net.core.somaxconn=4096"]}`
	type container = corev1.ContainerStatus
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	tweak := func(pod *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod { change(pod); return pod }
	for _, tt := range []struct {
		name    string
		pod     *corev1.Pod
		state   State
		message string
	}{
		{"an init container that exits with 0 has set them", injected(privileged,
			container{State: ended(0, "Completed", "")}), Set, ""},
		{"one that verifies has set nothing", injected(verify, container{State: ended(0, "Completed", "")}),
			Verified, ""},
		{"one that fails says why", injected(privileged, container{State: ended(1, "Error",
			"sysctl: error setting key")}), Failed, "exit code 1: sysctl: error setting key"},
		{"one that is killed has no message", injected(privileged, container{State: ended(137, "OOMKilled", "")}),
			Failed, "exit code 137 (OOMKilled)"},
		{"one that waits to be tried again has failed", injected(privileged, container{
			State: waiting("CrashLoopBackOff", "back-off 10s"), LastTerminationState: ended(1, "Error", "no such file"),
		}), Failed, "exit code 1: no such file"},
		{"one that is tried again runs", injected(privileged, container{State: running,
			LastTerminationState: ended(1, "Error", "no such file")}), Running, "exit code 1: no such file"},
		{"one that runs", injected(privileged, container{State: running}), Running, ""},
		{"one that is about to start waits without a message", injected(privileged,
			container{State: waiting("PodInitializing", "")}), Waiting, ""},
		{"one whose image is not there waits with a message", injected(privileged,
			container{State: waiting("ErrImagePull", "not found")}), Waiting, "ErrImagePull: not found"},
		{"a pod without a node says why", tweak(injected(privileged, container{}), func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = nil
			p.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
					Message: "0/3 nodes are available"},
			}
		}), Waiting, "Unschedulable: 0/3 nodes are available"},
		{"a pod that the node rejects has failed", tweak(injected(privileged, container{}), func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu", Message: "Pod was rejected"}
		}), Failed, "OutOfcpu: Pod was rejected"},
		{"a kubelet that does not allow a native sysctl rejects the pod",
			tweak(injected(native, container{}), func(p *corev1.Pod) {
				p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "SysctlForbidden",
					Message: "forbidden sysctl: \"net.core.somaxconn\" not allowlisted"}
			}), Failed, "SysctlForbidden: forbidden sysctl: \"net.core.somaxconn\" not allowlisted"},
		{"native sysctls are set once a container runs", tweak(injected(native, container{}), func(p *corev1.Pod) {
			p.Spec.InitContainers = nil
			p.Status = corev1.PodStatus{Phase: corev1.PodRunning,
				ContainerStatuses: []corev1.ContainerStatus{{State: running}}}
		}), Set, ""},
		{"and not before", tweak(injected(native, container{}), func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodPending,
				ContainerStatuses: []corev1.ContainerStatus{{State: waiting("ContainerCreating", "")}}}
		}), Waiting, ""},
		{"without the annotation nobody knows", tweak(injected("", container{}),
			func(p *corev1.Pod) { p.Annotations = nil }), Unknown,
			"the pod has the label sysctl-injector.dev/injected and no annotation sysctl-injector.dev/status"},
		{"nor with one that cannot be read", injected("{", container{}), Unknown,
			"the annotation sysctl-injector.dev/status cannot be read: unexpected end of JSON input"},
		{"nor without the container that it names", tweak(injected(privileged, container{}),
			func(p *corev1.Pod) { p.Spec.InitContainers = nil }), Unknown,
			"the annotation sysctl-injector.dev/status names the form privileged, and the pod has no init container " +
				"sysctl-injector"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Of(tt.pod); got.State != tt.state || got.Message != tt.message {
				t.Errorf("got  %s, %q\nwant %s, %q", got.State, got.Message, tt.state, tt.message)
			}
		})
	}
}

func event(reason, kind, name, uid, action, message string, seen int64) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}, Reason: reason, Action: action, Message: message, Count: 2,
		LastTimestamp:  metav1.Unix(seen, 0),
		InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, UID: types.UID(uid)},
	}
}

func TestRejections(t *testing.T) {
	const denied = `admission webhook "pods.sysctl-injector.dev" denied the request: NodeLevel: vm.swappiness is ` +
		`node-level`
	ours := event("SysctlRefused", "Deployment", "web", "deployment", "NodeLevel",
		"NodeLevel: vm.swappiness is node-level", 0)
	ours.LastTimestamp, ours.Series = metav1.Time{}, &corev1.EventSeries{Count: 7,
		LastObservedTime: metav1.NewMicroTime(time.Unix(50, 0))}
	ours.Related = &corev1.ObjectReference{Kind: "ReplicaSet", UID: "set"}
	var found []Rejection
	for _, e := range []*corev1.Event{
		ours,
		event("FailedCreate", "ReplicaSet", "web-1", "set", "", "Error creating: "+denied, 60),
		event("FailedCreate", "StatefulSet", "db", "db", "",
			"create Pod db-0 in StatefulSet db failed error: "+denied, 40),
		event("FailedCreate", "StatefulSet", "db", "db", "",
			"create Pod db-1 in StatefulSet db failed error: "+denied, 41),
		event("FailedCreate", "Job", "twice", "job", "",
			`Error creating: admission webhook "plain.pods.sysctl-injector.dev" denied the request: 2 problems:`+
				"\n- A: b\n- C: d", 30),
		event("FailedCreate", "DaemonSet", "agent", "agent", "",
			`Error creating: pods "agent-x" is forbidden: ValidatingAdmissionPolicy 'sysctl-injector-baseline' with `+
				`binding 'sysctl-injector-baseline' denied request: host namespaces`, 20),
		event("FailedCreate", "ReplicaSet", "down", "down", "",
			`Error creating: Internal error occurred: failed calling webhook "pods.sysctl-injector.dev": timeout`, 10),
		event("FailedCreate", "ReplicaSet", "quota", "quota", "",
			`Error creating: pods "quota-x" is forbidden: exceeded quota`, 70),
		event("Scheduled", "Pod", "fine", "fine", "", denied, 80),
	} {
		if r, ok := RejectionOf(e); ok {
			found = append(found, r)
		}
	}
	var got []string
	for _, r := range Merge(found) {
		got = append(got, r.Workload()+" "+r.Reason+" "+strconv.Itoa(int(r.Count))+" "+r.Message)
	}
	want := []string{
		"Deployment/web NodeLevel 7 NodeLevel: vm.swappiness is node-level",
		"StatefulSet/db NodeLevel 4 NodeLevel: vm.swappiness is node-level",
		"Job/twice SeveralProblems 2 2 problems:\n- A: b\n- C: d",
		`DaemonSet/agent Guard 2 pods "agent-x" is forbidden: ValidatingAdmissionPolicy 'sysctl-injector-baseline' ` +
			`with binding 'sysctl-injector-baseline' denied request: host namespaces`,
		`ReplicaSet/down WebhookUnreachable 2 Internal error occurred: failed calling webhook ` +
			`"pods.sysctl-injector.dev": timeout`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
