package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestWorkloadsOf(t *testing.T) {
	// meta is the metadata of an object, whose UID is its name. By is "KIND NAME" of the controller.
	meta := func(name string, by ...string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}
		if len(by) > 0 {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: by[0], Name: by[1],
				UID: types.UID(by[1]), Controller: ptr.To(true)}}
		}
		return m
	}
	job := func(m metav1.ObjectMeta, conditions ...batchv1.JobConditionType) *batchv1.Job {
		j := &batchv1.Job{ObjectMeta: m}
		for _, c := range conditions {
			j.Status.Conditions = append(j.Status.Conditions, batchv1.JobCondition{Type: c, Status: corev1.ConditionTrue})
		}
		return j
	}
	pod := func(m metav1.ObjectMeta, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: m, Status: corev1.PodStatus{Phase: phase}}
	}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&appsv1.Deployment{ObjectMeta: meta("web")},
		&appsv1.ReplicaSet{ObjectMeta: meta("web-1", "Deployment", "web")},
		pod(meta("web-1-a", "ReplicaSet", "web-1"), corev1.PodRunning),
		&batchv1.CronJob{ObjectMeta: meta("nightly")},
		job(meta("nightly-1", "CronJob", "nightly"), batchv1.JobComplete),
		job(meta("running")),
		job(meta("suspended"), batchv1.JobSuspended),
		job(meta("complete"), batchv1.JobSuccessCriteriaMet, batchv1.JobComplete),
		job(meta("failed"), batchv1.JobFailureTarget, batchv1.JobFailed),
		job(meta("step", "Pipeline", "build"), batchv1.JobComplete),
		pod(meta("complete-a", "Job", "complete"), corev1.PodSucceeded),
		pod(meta("failed-a", "Job", "failed"), corev1.PodFailed),
		pod(meta("debug"), corev1.PodRunning),
		pod(meta("migrated"), corev1.PodSucceeded),
		pod(meta("evicted"), corev1.PodFailed),
		pod(meta("member", "Database", "main"), corev1.PodFailed),
	).Build()
	workloads, err := workloadsOf(t.Context(), cluster, "shop")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range workloads {
		got = append(got, w.Kind+" "+w.Name)
	}
	want := []string{
		"Deployment web", "CronJob nightly", "Job running", "Job step", "Job suspended", "Pod debug", "Pod member",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
