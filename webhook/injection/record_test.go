package injection

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	nodev1 "k8s.io/api/node/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// recordVariable names a directory, to which the tests write each decision that they make: a file each. The suite
// e2e/suites/mutating has the policies that replace the server make the same decisions.
const recordVariable = "SYSCTL_INJECTOR_RECORD_DECISIONS"

// recordedDecision is one decision, with all that it depends on.
type recordedDecision struct {
	Test         string
	Pod          json.RawMessage
	Namespace    map[string]string // labels
	RuntimeClass *nodev1.RuntimeClass
	Allow        []v1alpha1.AllowRule // of the only SysctlPolicy; none where it is empty
	Profiles     map[string]string
	Defaults     bool // profiles applied by default
	Config       recordedConfig

	Reason  string
	Message string // empty if the pod is admitted
	Patched json.RawMessage
}

// recordedConfig is a Config as JSON can hold it.
type recordedConfig struct {
	form.Config
	PullSecrets, GuestHandlers, KubeletSysctls []string
	Strategy                                   form.Strategy
	Version                                    string
	Kubernetes                                 uint
}

var recordings atomic.Int64

// record writes a decision, if it is asked for.
func record(t testing.TB, raw string, config Config, target Target, w *world, outcome Outcome) {
	t.Helper()
	dir := os.Getenv(recordVariable)
	if dir == "" || !json.Valid([]byte(raw)) || pod.HasHugeExponent(raw) { // at which an API server would hang
		return
	}
	decision := recordedDecision{
		Test: t.Name(), Pod: json.RawMessage(raw), Namespace: target.NamespaceLabels, RuntimeClass: target.RuntimeClass,
		Allow: w.allow, Profiles: w.profiles, Defaults: len(w.defaults) > 0, Reason: outcome.Reason,
	}
	decision.Config = recordedConfig{
		config.Config, config.PullSecrets, config.GuestHandlers, config.KubeletSysctls, config.Strategy, config.Version,
		form.NewestKubernetes,
	}
	if config.Kubernetes != nil {
		decision.Config.Kubernetes = config.Kubernetes()
	}
	if outcome.IsDenied() {
		decision.Message = outcome.Message()
	} else {
		patch, err := jsonpatch.DecodePatch(mustMarshal(outcome.Operations))
		if err == nil && len(outcome.Operations) > 0 {
			decision.Patched, err = patch.Apply([]byte(raw))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	name := strconv.FormatInt(recordings.Add(1), 10) + ".json"
	if err := os.WriteFile(filepath.Join(dir, name), mustMarshal(decision), 0o600); err != nil {
		t.Fatal(err)
	}
}
