package certs_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// flow creates pods continuously, and opens new connections to the servers continuously: the API server itself keeps
// its connections. Each failure fails the test.
type flow struct {
	t                *testing.T
	namespace        string
	created, greeted atomic.Int64
	cancel           context.CancelFunc
	streams          sync.WaitGroup
}

func startFlow(t *testing.T, servers []*installation.Server) *flow {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "flow-",
		Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}}}
	must(t, admin.Create(t.Context(), namespace))
	must(t, admin.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name,
		Name: "web"}}))
	f := &flow{t: t, namespace: namespace.Name}
	// The API server sees a new namespace, the webhook configuration and the servers behind it a moment later.
	var last error
	eventually(t, "the first pod to be injected", func() string { return "it is rejected: " + errorText(last) },
		func(ctx context.Context) (bool, error) {
			pod := f.pod()
			last = admin.Create(ctx, pod, client.DryRunAll)
			return last == nil && len(pod.Spec.InitContainers) == 1, nil
		})
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	for range 4 {
		f.streams.Go(func() { f.create(ctx) })
	}
	for _, server := range servers {
		f.streams.Go(func() { f.greet(ctx, server) })
	}
	t.Cleanup(f.stop)
	return f
}

func (f *flow) pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, GenerateName: "web-",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}},
		Spec: corev1.PodSpec{ServiceAccountName: "web", Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	}
}

func (f *flow) create(ctx context.Context) {
	for ctx.Err() == nil {
		pod := f.pod()
		if err := admin.Create(context.WithoutCancel(ctx), pod, client.DryRunAll); err != nil {
			f.t.Errorf("after %d pods: %v", f.created.Load(), err)
			return
		}
		if len(pod.Spec.InitContainers) != 1 {
			f.t.Error("a pod is admitted without its init container")
			return
		}
		f.created.Add(1)
	}
}

// greet checks that the caBundle in force verifies a server's certificate.
func (f *flow) greet(ctx context.Context, server *installation.Server) {
	for ctx.Err() == nil {
		if _, err := shakeHands(context.WithoutCancel(ctx), suite.Cluster(f.t), server); err != nil {
			f.t.Errorf("after %d connections: %v", f.greeted.Load(), err)
			return
		}
		f.greeted.Add(1)
	}
}

// runs waits until enough new pods and connections have been made.
func (f *flow) runs(what string) {
	f.t.Helper()
	created, greeted := f.created.Load()+100, f.greeted.Load()+100
	eventually(f.t, "the flow "+what, func() string { return "the flow has ended" },
		func(context.Context) (bool, error) {
			return f.t.Failed() || f.created.Load() >= created && f.greeted.Load() >= greeted, nil
		})
	f.t.Logf("%s: %d pods and %d connections so far", what, f.created.Load(), f.greeted.Load())
}

func (f *flow) stop() {
	f.cancel()
	f.streams.Wait()
}

func errorText(err error) string {
	if err == nil {
		return "no"
	}
	return err.Error()
}
