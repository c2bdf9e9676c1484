package admission

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	nodev1 "k8s.io/api/node/v1"
)

// askedCluster is a Source that calls a function before it answers.
type askedCluster struct {
	*cluster
	asked func(ctx context.Context)
}

func (c askedCluster) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	c.asked(ctx)
	return c.cluster.NamespaceLabels(ctx, name)
}

func (c askedCluster) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	if name == "unknown" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c.cluster.RuntimeClass(ctx, name)
}

// Large pods that wait for the API server leave the turns to others.
func TestLargeBodiesTakeNoTurnWhileTheyWaitForTheCluster(t *testing.T) {
	large := grown(2 * smallBody)
	waiting := strings.Replace(large, `"spec":{`, `"spec":{"runtimeClassName":"unknown",`, 1)
	for name, post := range map[string]func(f *fixture){
		"pods": func(f *fixture) { f.post(reviewOf(waiting)) },
		"workloads": func(f *fixture) {
			f.postWorkload(workloadReviewOf("apps", "Deployment", `{"spec":{"template":`+waiting+`}}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.handler.Source = askedCluster{f.cluster, func(context.Context) {}}
				var group sync.WaitGroup
				defer group.Wait()
				for range 3 * cap(f.handler.turns) {
					group.Go(func() { post(f) })
				}
				synctest.Wait()
				begun := time.Now()
				if _, err := f.handler.Answer(t.Context(), []byte(reviewOf(large))); err != nil {
					t.Error(err)
				}
				if waited := time.Since(begun); waited > 0 {
					t.Errorf("another large pod waits for %s", waited)
				}
			})
		})
	}
}

// A request that waits for its turn is answered before the API server gives up.
func TestAnswersWithinTheTimeoutInSpiteOfTurns(t *testing.T) {
	takeAll := func(h *Handler) {
		for range cap(h.turns) {
			h.turns <- struct{}{}
		}
	}
	const want = "wait for the decisions on other large objects: context deadline exceeded"
	t.Run("before the review is read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			takeAll(f.handler)
			answer := f.post(reviewOf(grown(2 * smallBody)))
			if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
				t.Errorf("got %d %q", answer.Code, answer.Body)
			}
		})
	})
	t.Run("before the decision", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.handler.Source = askedCluster{f.cluster, func(context.Context) { takeAll(f.handler) }}
			response := decode(t, f.post(reviewOf(grown(2*smallBody))))
			if response.Allowed || response.Result.Message != ReasonClusterUnavailable+": "+want {
				t.Errorf("got %q, want %q", response.Result.Message, want)
			}
		})
	})
}
