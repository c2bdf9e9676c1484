package clustertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// Only a late grant is worth another attempt.
func TestUntilGranted(t *testing.T) {
	late := errors.New(`denied the request: GrantFailed: apply ClusterRole "a": context deadline exceeded`)
	foreign := errors.New(`denied the request: GrantFailed: ClusterRole "a" exists without the label`)
	timeout := errors.New(`failed calling webhook: context deadline exceeded`)
	for _, test := range []struct {
		name     string
		answers  []error
		attempts int
		want     error
	}{
		{"admitted at once", []error{nil}, 1, nil},
		{"admitted after late grants", []error{late, late, nil}, 3, nil},
		{"rejected after a late grant", []error{late, foreign}, 2, foreign},
		{"a grant that fails for another cause", []error{foreign}, 1, foreign},
		{"a server that does not answer", []error{timeout}, 1, timeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			next := 0
			attempts, err := clustertest.UntilGranted(t.Context(), func(context.Context) error {
				next++
				return test.answers[next-1]
			})
			if attempts != test.attempts || !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("%d attempts, error %v, want %d and %v", attempts, err, test.attempts, test.want)
			}
		})
	}
	t.Run("always late, until the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		attempts, err := clustertest.UntilGranted(ctx, func(context.Context) error {
			cancel()
			return late
		})
		if attempts != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, late) {
			t.Errorf("%d attempts, error %v, want both causes", attempts, err)
		}
	})
}
