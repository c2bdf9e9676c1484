package grants_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/events"
)

// A client that reaches the port can claim that a pod of any controller was rejected. Only what the API server
// confirms leads to an Event: a ReplicaSet of this UID, in a namespace that is enrolled.
func TestForgedReviewsLeadToNoEvent(t *testing.T) {
	s := newSite(t, serverConfig{})
	set := newReplicaSet(t, s.namespace(t))
	elsewhere := newReplicaSet(t, metav1.NamespaceDefault)
	for _, forged := range []struct {
		namespace, name string
		uid             types.UID
	}{
		{set.Namespace, set.Name, elsewhere.UID},
		{set.Namespace, "none", set.UID},
		{elsewhere.Namespace, elsewhere.Name, elsewhere.UID},
	} {
		s.review(t, rejectedPod(forged.namespace, appsv1.SchemeGroupVersion.String(), "ReplicaSet",
			forged.name, forged.uid))
	}
	eventually(t, "the server to have looked at them", func(ctx context.Context) (bool, error) {
		metrics, err := s.Get(ctx, "/metrics")
		return strings.Contains(metrics, `sysctl_injector_events_total{result="skipped"} 3`), err
	})
	// The same review from the API server would lead to the same Event.
	s.review(t, rejectedPod(set.Namespace, appsv1.SchemeGroupVersion.String(), "ReplicaSet", set.Name, set.UID))
	eventually(t, "an Event", func(ctx context.Context) (bool, error) {
		metrics, err := s.Get(ctx, "/metrics")
		return strings.Contains(metrics, `sysctl_injector_events_total{result="recorded"} 1`), err
	})
	var about []string
	for _, namespace := range []string{set.Namespace, elsewhere.Namespace} {
		list := &eventsv1.EventList{}
		must(t, admin.List(t.Context(), list, client.InNamespace(namespace)))
		for _, event := range list.Items {
			if event.ReportingController == events.Controller {
				about = append(about, event.Namespace+" "+event.Regarding.Kind+" "+event.Regarding.Name)
			}
		}
	}
	if diff := cmp.Diff([]string{set.Namespace + " Deployment idle"}, about); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

// newReplicaSet makes a Deployment that wants no pods, and returns its ReplicaSet.
func newReplicaSet(t *testing.T, namespace string) *appsv1.ReplicaSet {
	t.Helper()
	labels := map[string]string{"app": "idle"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "idle"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: newPod(namespace, "default").Spec},
		},
	}
	must(t, admin.Create(t.Context(), deployment))
	t.Cleanup(func() { must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), deployment))) })
	var found *appsv1.ReplicaSet
	eventually(t, "the ReplicaSet", func(ctx context.Context) (bool, error) {
		sets := &appsv1.ReplicaSetList{}
		err := admin.List(ctx, sets, client.InNamespace(namespace))
		for i := range sets.Items {
			if metav1.IsControlledBy(&sets.Items[i], deployment) {
				found = &sets.Items[i]
			}
		}
		return found != nil, err
	})
	return found
}

// rejectedPod is a pod of a controller, and every policy rejects it.
func rejectedPod(namespace, apiVersion, kind, name string, uid types.UID) *corev1.Pod {
	pod := newPod(namespace, "default", "vm.swappiness = 10")
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid,
		Controller: new(true)}}
	return pod
}

// tellsNobody: the pod is rejected all the same, and the log says what is missing.
func (m *minimal) tellsNobody(t *testing.T, r right) {
	kind := map[string]string{"replicasets": "ReplicaSet", "jobs": "Job"}[r.resource]
	m.create(t, rejectedPod(m.namespace, r.group+"/v1", kind, "none", "none"))
	m.awaitLog(t, "Cannot find the workload of a rejected pod", logged(r.denied()))
}

// writesNoEvent: the server can neither create an Event nor count it up.
func (m *minimal) writesNoEvent(t *testing.T, r right) {
	set := newReplicaSet(t, m.namespace)
	for range 2 {
		m.create(t, rejectedPod(m.namespace, appsv1.SchemeGroupVersion.String(), "ReplicaSet", set.Name, set.UID))
	}
	m.awaitLog(t, "Cannot write an Event", logged(r.denied()))
}

// create creates a pod that must be rejected, for any reason.
func (m *minimal) create(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if err := admin.Create(t.Context(), pod); err == nil {
		t.Fatal("the pod is admitted")
	}
}
