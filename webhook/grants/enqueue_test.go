package grants

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Only the labels of a namespace decide on its grants, so another change is no reason to list its pods.
func TestOnlyLabelsOfANamespaceCount(t *testing.T) {
	for _, test := range []struct {
		name  string
		tweak func(*metav1.PartialObjectMetadata)
		want  int
	}{
		{"another version", func(*metav1.PartialObjectMetadata) {}, 0},
		{"another annotation", func(n *metav1.PartialObjectMetadata) { n.Annotations = managed }, 0},
		{"another label", func(n *metav1.PartialObjectMetadata) {
			n.Labels = maps.Clone(n.Labels)
			n.Labels["team"] = "web"
		}, 1},
		{"no labels", func(n *metav1.PartialObjectMetadata) { n.Labels = nil }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue := workqueue.NewTypedRateLimitingQueue(
					workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
				defer queue.ShutDown()
				before := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "shop",
					ResourceVersion: "1", Labels: map[string]string{"sysctl-injector.dev/inject": "enabled"}}}
				after := before.DeepCopy()
				after.ResourceVersion = "2"
				test.tweak(after)
				enqueue(func(context.Context, client.Object, bool) []reconcile.Request {
					return []reconcile.Request{requestFor("shop")}
				}).Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)
				time.Sleep(2 * eventDelay)
				synctest.Wait()
				if queue.Len() != test.want {
					t.Errorf("%d requests, want %d", queue.Len(), test.want)
				}
			})
		})
	}
}
