package admission

import (
	"context"
	"log/slog"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// tried reports that policies on trial would have rejected a pod that is admitted. A dry run is not counted.
func (h *Handler) tried(ctx context.Context, r *review, d decision) {
	if d.trial == nil || !d.Allowed {
		return
	}
	if !r.dryRun {
		h.Metrics.tried(d.trial.Policies)
		if h.Tried != nil {
			h.Tried(d.trial.Policies)
		}
	}
	if d.trial.Audit {
		h.Log.LogAttrs(ctx, slog.LevelWarn, "Policies on trial would reject pod",
			slog.String(keyNamespace, truncate(r.namespace, maxName)),
			slog.String(keyPod, truncate(r.pod.Name(), maxName)),
			slog.String(keyServiceAccount, truncate(r.pod.ServiceAccount(), maxName)),
			slog.Any(keyPolicies, d.trial.Policies),
			slog.String(keyMessage, trialMessage(d.trial)))
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
