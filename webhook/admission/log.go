package admission

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
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

// record counts a decision, and writes one line about it. The line names the pod, and never contains the contents of
// the pod. A rejection is reported to Rejected, except in a dry run.
func (h *Handler) record(ctx context.Context, r *review, d decision) {
	h.Metrics.decided(d.reason)
	h.Metrics.admitted(d.sysctls)
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
		if d.trial != nil {
			h.tried(ctx, r, d.trial)
		}
		return
	}
	attrs = append(attrs, slog.String(keyMessage, d.Result.Message))
	h.Log.LogAttrs(ctx, slog.LevelWarn, "Rejected pod", attrs...)
	if h.Rejected == nil || r.dryRun {
		return
	}
	rejection := Rejection{Namespace: r.namespace, Reason: d.reason, Message: d.Result.Message}
	if r.pod != nil {
		rejection.Owner = r.pod.Owner
	}
	h.Rejected(rejection)
}

// tried reports that policies on trial would have rejected a pod that is admitted. A dry run is not counted.
func (h *Handler) tried(ctx context.Context, r *review, trial *policy.Trial) {
	if !r.dryRun {
		h.Metrics.tried(trial.Policies)
		if h.Tried != nil {
			h.Tried(trial.Policies)
		}
	}
	if trial.Audit {
		h.Log.LogAttrs(ctx, slog.LevelWarn, "Policies on trial would reject pod",
			slog.String(keyNamespace, truncate(r.namespace, maxName)),
			slog.String(keyPod, truncate(r.pod.Name(), maxName)),
			slog.String(keyServiceAccount, truncate(r.pod.ServiceAccount(), maxName)),
			slog.Any(keyPolicies, trial.Policies),
			slog.String(keyMessage, trialMessage(trial)))
	}
}

// trialMessage is what the audit log and the server's own log say: which policies would reject the pod, and every
// reason.
func trialMessage(trial *policy.Trial) string {
	reasons := make([]string, len(trial.Violations))
	for i, v := range trial.Violations {
		reasons[i] = v.Reason + ": " + v.Err.Error()
	}
	return truncate(strings.Join(trial.Policies, ", ")+": "+strings.Join(reasons, "; "), maxMessage)
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
