package app

import (
	"errors"
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// limitMemory sets the Go runtime's memory limit to 90% of the container's, since the runtime does not count all
// memory, and returns it. GOMEMLIMIT has precedence. Without any limit, it returns math.MaxInt64.
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

// bodyBytes is the part of the memory for request bodies: an eighth, since a decision needs a multiple of the body.
func bodyBytes(limit int64) int64 {
	return min(max(limit/8, admission.MinBudgetBytes), admission.MaxBudgetBytes)
}
