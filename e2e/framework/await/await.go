// Package await waits for what happens on its own.
package await

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Condition asks at a pace until the condition holds, fails, or patience is at its end.
func Condition(ctx context.Context, what string, pace, patience time.Duration,
	condition func(context.Context) (bool, error)) error {
	if err := wait.PollUntilContextTimeout(ctx, pace, patience, true, condition); err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// Answer is Condition for an answer that is not the wanted one at first. The error tells the last one.
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
