package clustertest

import (
	"context"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
)

// pace is the time between two questions.
const pace = 20 * time.Millisecond

// Eventually returns a function that fails a test unless a condition holds within the time given.
func Eventually(patience time.Duration) func(t testing.TB, what string, condition func(context.Context) (bool, error)) {
	return func(t testing.TB, what string, condition func(context.Context) (bool, error)) {
		t.Helper()
		Must(t, await.Condition(t.Context(), what, pace, patience, condition))
	}
}

// Answers returns a function that fails a test unless a question gets the wanted answer within the time given. The
// failure shows the last answer.
func Answers(patience time.Duration) func(t testing.TB, what string, ask func(context.Context) (string, bool)) {
	return func(t testing.TB, what string, ask func(context.Context) (answer string, wanted bool)) {
		t.Helper()
		Must(t, await.Answer(t.Context(), what, pace, patience, ask))
	}
}

// Must fails a test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
