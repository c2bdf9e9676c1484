package admission

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Keys of the structured log, the same in every line.
const (
	keyNamespace      = "namespace"
	keyPod            = "pod"
	keyServiceAccount = "serviceAccount"
	keyOwnerKind      = "ownerKind"
	keyOwner          = "owner"
	keyReason         = "reason"
	keyMessage        = "message"
	keyStatus         = "status"
	keyCause          = "cause"
	keyStack          = "stack"
)

// log writes one line for each decision. What is in the pod, beyond who it is, is never logged.
func (h *Handler) log(ctx context.Context, d decision) {
	// Records are made here, and not by the Logger, which would look up on the stack who calls it.
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "Admits the pod", 0)
	if d.refused {
		line = slog.NewRecord(time.Now(), slog.LevelWarn, "Refuses the pod", 0)
	}
	if !h.Log.Enabled(ctx, line.Level) {
		return
	}
	line.AddAttrs(slog.String(keyNamespace, d.namespace), slog.String(keyReason, d.reason))
	if d.pod != nil {
		line.AddAttrs(slog.String(keyPod, d.pod.Name()), slog.String(keyServiceAccount, d.pod.ServiceAccount()))
		if d.pod.Owner.Kind != "" {
			line.AddAttrs(slog.String(keyOwnerKind, d.pod.Owner.Kind), slog.String(keyOwner, d.pod.Owner.Name))
		}
	}
	if d.refused {
		line.AddAttrs(slog.String(keyMessage, d.response.Result.Message))
	}
	_ = h.Log.Handler().Handle(ctx, line) // as the Logger, which has nobody to tell either
}

// ownError is what is answered where the log says more.
const ownError = "sysctl-injector met an error of its own; its log says more"

func (h *Handler) logPanic(ctx context.Context, cause any, stack []byte) {
	h.Log.ErrorContext(ctx, "Recovers from a panic", keyCause, fmt.Sprint(cause), keyStack, string(stack))
}
