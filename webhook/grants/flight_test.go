package grants

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// Two pods share the write of one ClusterRole. The first one ends early, for a reason of its own.
func TestOnePodsFailureRejectsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGranter(t, nil)
		applying, proceed := make(chan struct{}), make(chan struct{})
		g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
			Apply: func(ctx context.Context, _ client.WithWatch, _ runtime.ApplyConfiguration,
				_ ...client.ApplyOption) error {
				close(applying)
				select {
				case <-proceed:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		})
		role := grantsOf(t, batch, 0)[0]
		first, cancel := context.WithCancelCause(t.Context())
		firstErr, secondErr := make(chan error, 1), make(chan error, 1)
		go func() { firstErr <- g.applyOnce(first, role) }()
		<-applying
		go func() { secondErr <- g.applyOnce(t.Context(), role) }()
		synctest.Wait()
		cancel(errors.New("the first pod's other grant failed"))
		const want = `apply ClusterRole "sysctl-injector:net.core.somaxconn": context canceled`
		if err := <-firstErr; err == nil || err.Error() != want {
			t.Errorf("the first pod gets %v, want %s", err, want)
		}
		close(proceed)
		if err := <-secondErr; err != nil {
			t.Errorf("the second pod gets %v", err)
		}
	})
}

// An object that somebody with more patience is already writing delays a pod no longer than any other.
func TestEnsureKeepsItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGranter(t, nil)
		g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
			Apply: func(ctx context.Context, _ client.WithWatch, _ runtime.ApplyConfiguration,
				_ ...client.ApplyOption) error {
				<-ctx.Done()
				return ctx.Err()
			},
		})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = g.applyOnce(context.Background(), grantsOf(t, batch, 0)[0])
		}()
		synctest.Wait()
		time.Sleep(timeout / 2)
		start := time.Now()
		err := g.Ensure(context.Background(), batch)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > timeout {
			t.Errorf("Ensure takes %s and returns %v", took, err)
		}
		<-ended
	})
}

// A pod that waits in vain learns what it waited for: the deadline is the call's own, and no other ends the wait at
// the same moment.
func TestEnsureSaysWhatItWaitedFor(t *testing.T) {
	for range 50 { // two deadlines of the same moment would end in either order
		synctest.Test(t, func(t *testing.T) {
			g, _ := newGranter(t, nil)
			g.Reader = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
				Get: func(ctx context.Context, _ client.WithWatch, _ client.ObjectKey, _ client.Object,
					_ ...client.GetOption) error {
					<-ctx.Done()
					return ctx.Err()
				},
			})
			const want = `read service account "web" in namespace "shop": context deadline exceeded`
			need := batch
			need.Namespace, need.ServiceAccount = "shop", "web"
			if err := g.Ensure(t.Context(), need); err == nil || err.Error() != want {
				t.Fatalf("error %v, want %s", err, want)
			}
		})
	}
}

// Of several failures the first object's is reported, whichever comes first in time.
func TestApplyReportsTheFirstObjectsError(t *testing.T) {
	need := Need{Namespace: "shop", ServiceAccount: "web", Sysctls: []string{"net.ipv4.tcp_retries2",
		"net.ipv4.tcp_fin_timeout", "kernel.sem"}}
	synctest.Test(t, func(t *testing.T) {
		g, _ := newGranter(t, nil)
		g.Reader = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
			Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object,
				_ ...client.GetOption) error {
				if key.Name == need.ServiceAccount {
					return nil
				}
				if !strings.Contains(key.Name, "kernel.sem") {
					return errors.New("at once")
				}
				time.Sleep(time.Second)
				return errors.New("later")
			},
		})
		const want = `read ClusterRole "sysctl-injector:kernel.sem": later`
		if err := g.Ensure(t.Context(), need); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}
