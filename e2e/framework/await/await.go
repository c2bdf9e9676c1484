// Package await waits for a condition.
package await

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Condition polls at a pace until the condition holds or returns an error, or until patience has passed.
func Condition(ctx context.Context, what string, pace, patience time.Duration,
	condition func(context.Context) (bool, error)) error {
	if err := wait.PollUntilContextTimeout(ctx, pace, patience, true, condition); err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// Answer polls until it gets the wanted answer. Its error contains the last answer.
func Answer(ctx context.Context, what string, pace, patience time.Duration,
	ask func(context.Context) (answer string, wanted bool)) error {
	last := "none"
	err := Condition(ctx, what, pace, patience, func(ctx context.Context) (bool, error) {
		answer, wanted := ask(ctx)
		if ctx.Err() == nil {
			last = answer
		}
		return wanted, nil
	})
	if err != nil {
		return fmt.Errorf("%w (the last answer: %s)", err, last)
	}
	return nil
}
