package admission

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// Keys of the structured log.
const (
	keyNamespace      = "namespace"
	keyPod            = "pod"
	keyServiceAccount = "serviceAccount"
	keyOwnerKind      = "ownerKind"
	keyOwner          = "owner"
	keyReason         = "reason"
	keyForms          = "forms"
	keyMessage        = "message"
	keyWarnings       = "warnings"
	keyStatus         = "status"
	keyCause          = "cause"
	keyStack          = "stack"
	keyPolicies       = "policies"
)

// log writes one line for each decision. It names the pod, and never contains the contents of the pod.
func (h *Handler) log(ctx context.Context, r *review, d decision) {
	attrs := []slog.Attr{slog.String(keyNamespace, truncate(r.namespace, maxName)), slog.String(keyReason, d.reason)}
	if r.pod != nil {
		attrs = append(attrs, slog.String(keyPod, truncate(r.pod.Name(), maxName)),
			slog.String(keyServiceAccount, truncate(r.pod.ServiceAccount(), maxName)))
		if r.pod.Owner.Kind != "" {
			attrs = append(attrs, slog.String(keyOwnerKind, truncate(r.pod.Owner.Kind, maxName)),
				slog.String(keyOwner, truncate(r.pod.Owner.Name, maxName)))
		}
	}
	if d.Allowed {
		if len(d.sysctls) > 0 {
			attrs = append(attrs, slog.Any(keyForms, formsOf(d.sysctls)))
		}
		h.Log.LogAttrs(ctx, slog.LevelInfo, "Admitted pod", attrs...)
		return
	}
	attrs = append(attrs, slog.String(keyMessage, d.Result.Message))
	h.Log.LogAttrs(ctx, slog.LevelWarn, "Rejected pod", attrs...)
}

// formsOf returns the names of the forms that set a pod's sysctls, each once.
func formsOf(sysctls []injection.Sysctl) []string {
	var forms []string
	for _, s := range sysctls {
		if !slices.Contains(forms, s.Form) {
			forms = append(forms, s.Form)
		}
	}
	return forms
}

// ownError is the answer where only the log has the details.
const ownError = "sysctl-injector met an error of its own; its log says more"

func (h *Handler) logPanic(ctx context.Context, cause any, stack []byte) {
	h.Log.ErrorContext(ctx, "Recovered from a panic", keyCause, fmt.Sprint(cause), keyStack, string(stack))
}
