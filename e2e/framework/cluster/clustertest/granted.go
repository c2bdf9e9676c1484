package clustertest

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// UntilGranted calls a function that creates a pod, as a controller does: again for as long as the API server is too
// slow for the pod's grants. It returns the number of attempts, and the error of the last one.
func UntilGranted(ctx context.Context, create func(context.Context) error) (attempts int, err error) {
	const patience = time.Minute
	var answer, late error
	err = await.Condition(ctx, "the grants of a pod", pace, patience, func(ctx context.Context) (bool, error) {
		attempts++
		answer = create(ctx)
		if isLate(answer) {
			late = answer
			return false, nil
		}
		return answer == nil || ctx.Err() == nil, nil
	})
	if err != nil {
		return attempts, errors.Join(err, late)
	}
	return attempts, answer
}

// CreatePod creates a pod: again for as long as its grants are late.
func CreatePod(ctx context.Context, pods typedcorev1.PodInterface, pod *corev1.Pod) (created *corev1.Pod, err error) {
	_, err = UntilGranted(ctx, func(ctx context.Context) (err error) {
		created, err = pods.Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	return created, err
}

// isLate reports whether the server rejected a pod because its grants were not in force within the time that an
// admission may take. Other causes of the same reason do not go away by themselves.
func isLate(err error) bool {
	return err != nil && strings.Contains(err.Error(), admission.ReasonGrantFailed+": ") &&
		strings.Contains(err.Error(), context.DeadlineExceeded.Error())
}
