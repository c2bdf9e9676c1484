package admission

import (
	"context"
	"log/slog"
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
	level := slog.LevelInfo
	if d.refused {
		level = slog.LevelWarn
	}
	if !h.Log.Enabled(ctx, level) {
		return
	}
	attributes := append(make([]slog.Attr, 0, 8), slog.String(keyNamespace, d.namespace), slog.String(keyReason, d.reason))
	if d.pod != nil {
		attributes = append(attributes, slog.String(keyPod, d.pod.Name()), slog.String(keyServiceAccount, d.pod.ServiceAccount()))
		if d.pod.Owner.Kind != "" {
			attributes = append(attributes, slog.String(keyOwnerKind, d.pod.Owner.Kind), slog.String(keyOwner, d.pod.Owner.Name))
		}
	}
	if d.refused {
		h.Log.LogAttrs(ctx, level, "Refuses the pod", append(attributes, slog.String(keyMessage, d.response.Result.Message))...)
		return
	}
	h.Log.LogAttrs(ctx, level, "Admits the pod", attributes...)
}
