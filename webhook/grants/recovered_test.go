package grants

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A panic in any goroutine that applies a pod's grants becomes an error of the call that waits, and ends no process.
func TestPanicsAreRecovered(t *testing.T) {
	for _, test := range []struct {
		where string // and what the panic says
		funcs interceptor.Funcs
	}{
		{"reading what is there", interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				panic("reading what is there")
			},
		}},
		{"applying what is missing", interceptor.Funcs{
			Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
				panic("applying what is missing")
			},
		}},
		{"asking the authorizer", interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
				panic("asking the authorizer")
			},
		}},
	} {
		t.Run(test.where, func(t *testing.T) {
			g, _ := newGranter(t, nil)
			g.Client = interceptor.NewClient(g.Client.(client.WithWatch), test.funcs)
			wantPanic(t, g.Ensure(t.Context(), batch), test.where)
		})
	}
}

func TestPanicsAreRecoveredWhereGrantsAreRequired(t *testing.T) {
	g, _ := newGranter(t, nil)
	checker := &Checker{Backend: ValidatingAdmissionPolicy, Client: interceptor.NewClient(g.Client.(client.WithWatch),
		interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
				panic("asking the authorizer")
			},
		})}
	wantPanic(t, checker.Ensure(t.Context(), batch), "asking the authorizer")
}

// wantPanic wants the panic with the stack of where it happened, and not of where it was reported.
func wantPanic(t *testing.T, err error, cause string) {
	t.Helper()
	var panicked *PanicError
	if !errors.As(err, &panicked) || panicked.Error() != "panic: "+cause ||
		!strings.Contains(string(panicked.Stack), "recovered_test.go") {
		t.Errorf("error %v, want the panic %q with its stack", err, cause)
	}
}
