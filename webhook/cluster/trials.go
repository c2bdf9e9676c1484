package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/trial"
)

const (
	// trialPeriod is how often changed counts are written: in each period, a server writes each policy on trial at
	// most once.
	trialPeriod = 10 * time.Second
	// trialRenewal is how often an unchanged count is written.
	trialRenewal = time.Hour
	// trialExpiry is how long the count of a stopped server stays.
	trialExpiry = 24 * time.Hour
	// maxTrialServers is the limit in the API.
	maxTrialServers = 32
)

// trials writes this server's counts for the policies on trial into their status. Every server does this, and not
// only the leader, because each counts its own pods. If two servers write at once, the API server rejects one write.
// That server retries a period later.
type trials struct {
	counter *trial.Counter
	server  string // its name in the status
	reader  client.Reader
	writer  client.StatusWriter
	now     func() time.Time
	log     *slog.Logger
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*trials) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (t *trials) Start(ctx context.Context) error {
	ticker := time.NewTicker(trialPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			t.write(ctx)
		}
	}
}

// write writes the counts that have changed.
func (t *trials) write(ctx context.Context) {
	var policies v1alpha1.SysctlPolicyList
	if err := t.reader.List(ctx, &policies); err != nil {
		t.log.WarnContext(ctx, "Policies on trial cannot be listed", "cause", err.Error())
		return
	}
	names := map[string]bool{}
	for i := range policies.Items {
		p := &policies.Items[i]
		names[p.Name] = true
		wanted := t.status(p)
		if equality.Semantic.DeepEqual(wanted, p.Status.Trial) {
			continue
		}
		changed := p.DeepCopy()
		changed.Status.Trial = wanted
		if err := t.writer.Update(ctx, changed); err != nil && !apierrors.IsConflict(err) &&
			!apierrors.IsNotFound(err) {
			t.log.WarnContext(ctx, "The status of a policy on trial cannot be written", "policy", p.Name, "cause",
				err.Error())
		}
	}
	t.counter.Keep(names)
}

// status returns the trial for the status of a policy; nil if the policy is not on trial.
func (t *trials) status(p *v1alpha1.SysctlPolicy) *v1alpha1.Trial {
	if !policy.IsOnTrial(p) {
		return nil
	}
	now := t.now()
	pods, since := t.counter.Count(p.Name, trial.Version{UID: p.UID, Generation: p.Generation})
	own := v1alpha1.TrialServer{Name: t.server, Since: metav1.NewTime(since.Truncate(time.Second)),
		Until: metav1.NewTime(now.Truncate(time.Second)), WouldReject: pods}
	wanted := &v1alpha1.Trial{}
	if p.Status.Trial != nil {
		for _, server := range p.Status.Trial.Servers {
			switch {
			case server.Name == t.server:
				if isCurrent(server, own) {
					own = server
				}
			case now.Sub(server.Until.Time) < trialExpiry:
				wanted.Servers = append(wanted.Servers, server)
			}
		}
	}
	slices.SortFunc(wanted.Servers, func(a, b v1alpha1.TrialServer) int { return b.Until.Compare(a.Until.Time) })
	wanted.Servers = append(wanted.Servers[:min(len(wanted.Servers), maxTrialServers-1)], own)
	slices.SortFunc(wanted.Servers, func(a, b v1alpha1.TrialServer) int { return cmp.Compare(a.Name, b.Name) })
	for _, server := range wanted.Servers {
		wanted.WouldReject += server.WouldReject
	}
	return wanted
}

// isCurrent reports whether a server's written count is up to date. Once a count covers a full day, its start moves
// with time and is not compared.
func isCurrent(written, now v1alpha1.TrialServer) bool {
	isFullDay := now.Until.Sub(now.Since.Time) > trialExpiry-2*time.Hour
	return written.WouldReject == now.WouldReject && now.Until.Sub(written.Until.Time) < trialRenewal &&
		(now.Since.Equal(&written.Since) || isFullDay)
}
