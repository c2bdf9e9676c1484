package status

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Reasons of Events about rejected pods.
const (
	// RejectedReason is the reason of the Events that sysctl-injector writes to the workload above a pod's
	// controller.
	RejectedReason = "SysctlRefused"
	// FailedCreateReason is the reason of the Events that Kubernetes' controllers write. Only Events that name
	// sysctl-injector count.
	FailedCreateReason = "FailedCreate"
)

// Rejection says that pods of a workload are not created.
type Rejection struct {
	Namespace  string `json:"namespace"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	// Reason is short and stable, such as NodeLevel.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Count is the number of rejections.
	Count    int32       `json:"count"`
	LastSeen metav1.Time `json:"lastSeen"`

	object     types.UID // the object of the Event
	controller types.UID // the creator of the pods, if it is another object
	byServer   bool      // the webhook's server decided
}

// Workload owns the rejected pods.
func (r *Rejection) Workload() string { return r.Kind + "/" + r.Name }

// The parts of an Event's message that name the rejecting webhook or policy, and the reason.
var (
	byWebhook = regexp.MustCompile(`admission webhook "(?:[a-z]+\.)*pods\.sysctl-injector\.dev" denied the request: `)
	byGuard   = regexp.MustCompile(`ValidatingAdmissionPolicy '(sysctl-injector-[a-z-]+)' ` +
		`with binding '[^']*' denied request: `)
	// unreached matches the message of an API server that could not call the webhook.
	unreached = regexp.MustCompile(`failed calling webhook "(?:[a-z]+\.)*pods\.sysctl-injector\.dev": `)
	// stated matches the reason at the start of a message of ours.
	stated = regexp.MustCompile(`^([A-Z][A-Za-z]+): `)
)

// Reasons for rejections whose message has none.
const (
	guardReason      = "Guard"
	unreachedReason  = "WebhookUnreachable"
	severalReason    = "SeveralProblems"
	unknownRejection = "Rejected"
)

// RejectionOf reads an Event; ok is false if it is not about a pod that sysctl-injector rejected.
func RejectionOf(event *corev1.Event) (r Rejection, ok bool) {
	object := event.InvolvedObject
	r = Rejection{
		Namespace: event.Namespace, APIVersion: object.APIVersion, Kind: object.Kind, Name: object.Name,
		Count: max(event.Count, 1), object: object.UID,
		LastSeen: event.LastTimestamp, Message: event.Message,
	}
	if event.Series != nil {
		r.Count, r.LastSeen = event.Series.Count, metav1.NewTime(event.Series.LastObservedTime.Time)
	}
	if r.LastSeen.IsZero() {
		r.LastSeen = metav1.NewTime(cmp.Or(event.EventTime.Time, event.CreationTimestamp.Time))
	}
	if event.Related != nil {
		r.controller = event.Related.UID
	}
	switch event.Reason {
	case RejectedReason:
		r.Reason = cmp.Or(event.Action, reasonIn(r.Message))
		return r, true
	case FailedCreateReason:
		if at := byWebhook.FindStringIndex(event.Message); at != nil {
			r.Message, r.byServer = event.Message[at[1]:], true
			r.Reason = reasonIn(r.Message)
			return r, true
		}
		if byGuard.MatchString(event.Message) {
			r.Reason, r.Message = guardReason, strings.TrimPrefix(event.Message, "Error creating: ")
			return r, true
		}
		if unreached.MatchString(event.Message) {
			r.Reason, r.Message = unreachedReason, strings.TrimPrefix(event.Message, "Error creating: ")
			return r, true
		}
	}
	return Rejection{}, false
}

// reasonIn returns the reason at the start of a webhook's message.
func reasonIn(message string) string {
	if match := stated.FindStringSubmatch(message); match != nil {
		return match[1]
	}
	if strings.Contains(message, " problems:\n") {
		return severalReason
	}
	return unknownRejection
}

// Merge removes duplicates, and sorts the latest rejection first. If a workload and the controller below it both have
// an Event, Merge keeps the workload's.
func Merge(all []Rejection) []Rejection {
	above := map[types.UID]bool{}
	for _, r := range all {
		if r.controller != "" {
			above[r.controller] = true
		}
	}
	type key struct {
		object  types.UID
		message string
	}
	index := map[key]int{}
	var merged []Rejection
	for _, r := range all {
		if above[r.object] && r.byServer {
			continue
		}
		k := key{r.object, r.Message}
		i, known := index[k]
		if !known {
			index[k] = len(merged)
			merged = append(merged, r)
			continue
		}
		merged[i].Count += r.Count
		if merged[i].LastSeen.Before(&r.LastSeen) {
			merged[i].LastSeen = r.LastSeen
		}
	}
	slices.SortStableFunc(merged, func(a, b Rejection) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen.Time), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name))
	})
	return merged
}
