package app

import (
	"errors"
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// limitMemory tells the Go runtime the memory limit of the container, less a tenth for what the runtime does not
// count, and returns it. GOMEMLIMIT, if set, is kept. Without any limit it returns math.MaxInt64.
func limitMemory(log *slog.Logger) int64 {
	limit, err := memlimit.Set()
	if err != nil && !errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		log.Warn("Memory limit unknown", "cause", err.Error())
	}
	if limit < math.MaxInt64 {
		log.Info("Memory limited", "bytes", limit)
	}
	return limit
}

// bodyBytes is the part of the memory that request bodies may take: an eighth, since a decision on a body takes a
// multiple of it.
func bodyBytes(limit int64) int64 {
	return min(max(limit/8, admission.MinBudgetBytes), admission.MaxBudgetBytes)
}
