package guard_test

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// The environment sets the number of random pods and the seed. `make fuzz-guard` compares more pods.
const (
	podsVariable = "GUARD_PODS"
	seedVariable = "GUARD_SEED"
)

// TestGuardRandomPods compares the verdicts on pods of a seeded generator, bare and injected.
func TestGuardRandomPods(t *testing.T) {
	enough := 2000
	if server(t).minor < newestMinor {
		enough = 500 // an older API server takes several times as long
	}
	count, first := number(t, podsVariable, enough), number(t, seedVariable, 1)
	sides := newSides(t)
	var rejected atomic.Int64
	eachParallel(count, func(n int) {
		seed := uint64(first + n)
		rejected.Add(int64(sides.compare(t, fmt.Sprintf("pod %d", seed), newGenerator(seed).pod())))
	})
	t.Logf("%d pods compared at two standards, bare and injected; of the %d verdicts of Pod Security admission %d "+
		"were rejections", count, 2*count, rejected.Load())
	if share := float64(rejected.Load()) / float64(2*count); share < 0.3 || share > 0.8 {
		t.Errorf("%.0f %% of the verdicts are rejections: the generator is too harmless, or too wild", 100*share)
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
