package neighbours_test

import (
	"encoding/json"
	"strings"
	"testing"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// neighbour is a mutating webhook of another project.
type neighbour struct {
	name string
	// change changes a pod as the neighbour does. It must be idempotent.
	change func(*corev1.Pod)
	// spares is set if it does not change the injected container when it is called again.
	spares bool
	// sparesVerify is the same for the container of mode: verify.
	sparesVerify bool
	// removesContainer is set if it removes our container, so that our webhook adds it again. AlwaysPullImages does
	// not run after that, and rejects the pull policy IfNotPresent.
	removesContainer bool
	// removesNative is set if it removes native sysctls each time it is called.
	removesNative bool
	// setsResources is set if it sets resources, which our container keeps.
	setsResources bool
	// alone is set if its additions to init containers are not allowed in a pod's own init containers.
	alone bool
	// rejection are texts in the message if the neighbour runs last. nil stands for the likely cause and the remedy.
	rejection []string
	// asIf makes the neighbour's changes of the whole pod in the pod that is created without the neighbour.
	asIf func(*corev1.Pod)
	// notice changes a pod so that the neighbour acts on it.
	notice func(*corev1.Pod)
}

// position is the position of a neighbour's configuration, before or after ours.
type position string

const (
	before position = "a-before"
	after  position = "t-after"
)

// order is when the API server calls a neighbour.
type order struct {
	position position
	again    admissionregistrationv1.ReinvocationPolicyType
}

var orders = []order{
	{before, admissionregistrationv1.NeverReinvocationPolicy},
	{before, admissionregistrationv1.IfNeededReinvocationPolicy},
	{after, admissionregistrationv1.NeverReinvocationPolicy},
	last,
}

// last is the order in which a neighbour runs last: it is called after our webhook, and again after our webhook's
// second call.
var last = order{after, admissionregistrationv1.IfNeededReinvocationPolicy}

// String implements fmt.Stringer. It is the name of a pod, too.
func (o order) String() string {
	return strings.TrimSuffix(string(o.position)+"-"+strings.ToLower(string(o.again)), "-")
}

// orderLabel selects the one order in which the neighbour changes a pod.
const orderLabel = "example.com/order"

// install serves the neighbour for the pods of a namespace with the order's label, and returns when the API server
// calls it.
func (n neighbour) install(t *testing.T, namespace string, o order) {
	t.Helper()
	clustertest.Mutator{
		Name: o.String() + "-" + namespace, Service: o.String(), Namespace: namespace,
		Selector:     &metav1.LabelSelector{MatchLabels: map[string]string{orderLabel: o.String()}},
		Reinvocation: &o.again, Patch: n.patch,
	}.Install(t, suite.Cluster(t), client, n.pod(o))
}

// patch patches as controller-runtime does (pkg/webhook/admission, PatchResponseFromRaw): it decodes the pod into a
// type, encodes that, and returns the difference.
func (n neighbour) patch(raw []byte) ([]byte, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, err
	}
	n.change(&pod)
	changed, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(raw, changed)
	if err != nil || len(operations) == 0 {
		return nil, err
	}
	return json.Marshal(operations)
}
