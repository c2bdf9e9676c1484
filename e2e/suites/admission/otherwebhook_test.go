package admission_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// Configurations that the API server calls before and after ours.
const (
	before = "a-webhook-before"
	after  = "z-webhook-after"
)

// operation is one of a JSON Patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// otherWebhook is a mutating webhook of another project, for the pods of one namespace.
type otherWebhook struct {
	position string // before or after
	// change returns the operations on a pod.
	change func(*corev1.Pod) []operation
}

// install returns when the API server calls the webhook.
func (o otherWebhook) install(t *testing.T, namespace string) {
	t.Helper()
	clustertest.Mutator{
		Name: o.position + "-" + namespace, Service: "other", Namespace: namespace, Patch: o.patch,
	}.Install(t, suite.Cluster(t), client, newPod("probe", ""))
}

func (o otherWebhook) patch(raw []byte) ([]byte, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, err
	}
	change := o.change(&pod)
	if len(change) == 0 {
		return nil, nil
	}
	return json.Marshal(change)
}
