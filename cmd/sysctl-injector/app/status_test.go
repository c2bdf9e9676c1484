package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// reject returns an Event of the server about the pods of a Deployment.
func reject(deployment, message string, lastSeen time.Time) corev1.Event {
	return corev1.Event{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: deployment, ResourceVersion: "6"},
		Reason:     "SysctlRefused", Message: message, LastTimestamp: metav1.NewTime(lastSeen),
		InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment},
	}
}

func eventsAt(version string, events ...corev1.Event) http.HandlerFunc {
	return answer(corev1.EventList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "EventList"},
		ListMeta: metav1.ListMeta{ResourceVersion: version}, Items: events,
	})
}

// injectedPods answers with a list of one injected pod.
func injectedPods() http.HandlerFunc {
	return answer(corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "5"},
		Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "1",
			Labels: map[string]string{"sysctl-injector.dev/injected": "true", "app": "web"}}}},
	})
}

// listOrWatch answers a list and a watch of the same path.
func listOrWatch(list, watch http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			watch(w, r)
			return
		}
		list(w, r)
	}
}

// change answers a watch with one change, and ends it.
func change(kind watch.EventType, object any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		encoded, _ := json.Marshal(object)
		answer(metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: encoded}})(w, r)
	}
}

// statusOf runs the command in the namespace shop of a cluster with these pods and Events.
func statusOf(t *testing.T, pods, events http.HandlerFunc, args ...string) (code int, out, errOut string) {
	t.Helper()
	kubeconfig := answers{
		"GET /api/v1/namespaces/shop/pods":                  pods,
		"GET /api/v1/namespaces/shop/events":                events,
		"GET /apis/apps/v1/namespaces/shop/deployments/web": forbid("deployments.apps web is forbidden"),
	}.serve(t)
	return run(t, "", append([]string{"status", "-n", "shop", "--kubeconfig", kubeconfig}, args...)...)
}

// With -l, a rejection counts if its workload has the labels. A workload that the person may not read is named.
func TestStatusNamesWorkloadsThatItMayNotRead(t *testing.T) {
	events := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "FailedCreate") {
			eventsAt("7")(w, r)
			return
		}
		eventsAt("5", reject("web", "one", time.Now()), reject("web", "two", time.Now()))(w, r)
	}
	code, out, errOut := statusOf(t, injectedPods(), events, "-l", "app=web")
	if code != 1 || !strings.HasSuffix(out, "\nNot looked at: Deployment/web: deployments.apps web is forbidden\n") ||
		strings.Count(out, "Not looked at") != 1 ||
		errOut != "error: the report is incomplete: deployments.apps web is forbidden\n" {
		t.Errorf("exit code %d, output\n%s\nerror %q", code, out, errOut)
	}
}

// forbidAfter answers a number of requests, and then forbids reading pods, which ends the command.
func forbidAfter(number int, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if number--; number < 0 {
			forbid("pods is forbidden")(w, r)
			return
		}
		answer(w, r)
	}
}

// Without permission to list Events, the command prints the pods and their changes, and a note names what is missing.
func TestStatusWatchesPodsWithoutEvents(t *testing.T) {
	noEvents := forbid("events is forbidden")
	for _, test := range []struct {
		name   string
		events http.HandlerFunc
	}{
		{"may not list Events", noEvents},
		{"may list and not watch Events", listOrWatch(eventsAt("5"), noEvents)},
	} {
		t.Run(test.name, func(t *testing.T) {
			pods := listOrWatch(injectedPods(), forbidAfter(1, change(watch.Added, corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-2", UID: "2", ResourceVersion: "6"},
			})))
			code, out, errOut := statusOf(t, pods, test.events, "--watch")
			if code != 1 || !strings.Contains(out, "web-1") || !strings.Contains(out, "web-2") ||
				strings.Count(errOut, "Not looked at: Events: events is forbidden\n") != 1 ||
				!strings.HasSuffix(errOut, "error: watch the pods: pods is forbidden\n") {
				t.Errorf("exit code %d, output\n%s\nerror %q", code, out, errOut)
			}
		})
	}
}

// The watch of each kind of Event begins where its list ended: no rejection is lost between the two lists.
func TestStatusWatchLosesNoRejection(t *testing.T) {
	again := make(chan struct{})
	over := sync.OnceFunc(func() { close(again) })
	pods := listOrWatch(injectedPods(), func(w http.ResponseWriter, r *http.Request) {
		<-again
		forbid("pods is forbidden")(w, r) // ends the command
	})
	events := listOrWatch(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "SysctlRefused") {
			eventsAt("5")(w, r)
		} else {
			eventsAt("7")(w, r)
		}
	}, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "SysctlRefused") {
			<-r.Context().Done()
			return
		}
		if r.URL.Query().Get("resourceVersion") == "5" {
			change(watch.Added, reject("web", "between the lists", time.Now()))(w, r)
			return
		}
		over() // the program has handled the Event before it watches again
		<-r.Context().Done()
	})
	code, out, errOut := statusOf(t, pods, events, "--watch")
	if code != 1 || strings.Count(out, "between the lists") != 1 {
		t.Errorf("exit code %d, output\n%s\nerror %q", code, out, errOut)
	}
}

// If the API server no longer has the changes since the list, the next list shows them.
func TestStatusListsAgainWhatAWatchMissed(t *testing.T) {
	began := time.Now().Add(-time.Minute)
	var lists int
	events := listOrWatch(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.Contains(r.URL.RawQuery, "SysctlRefused"):
			eventsAt("5")(w, r)
		case lists == 0:
			lists++
			eventsAt("5", reject("web", "first", began))(w, r)
		default:
			lists++
			eventsAt("7", reject("web", "first", began), reject("web", "second", time.Now()))(w, r)
		}
	}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	pods := listOrWatch(injectedPods(), forbidAfter(1, change(watch.Error, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Reason: metav1.StatusReasonExpired, Code: http.StatusGone, Message: "too old",
	})))
	code, out, errOut := statusOf(t, pods, events, "--watch")
	if code != 1 || strings.Count(out, "first") != 1 || strings.Count(out, "second") != 1 ||
		strings.Count(out, "web-1:") != 1 {
		t.Errorf("exit code %d, output\n%s\nerror %q", code, out, errOut)
	}
}

// A watch that cannot reach the API server tries again, and says so once.
func TestStatusWatchSaysThatItTriesAgain(t *testing.T) {
	pods := listOrWatch(injectedPods(), forbidAfter(2, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusBadGateway)
	}))
	idle := listOrWatch(eventsAt("5"), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	code, out, errOut := statusOf(t, pods, idle, "--watch")
	if code != 1 || strings.Count(errOut, "Trying again: ") != 1 {
		t.Errorf("exit code %d, output\n%s\nerror %q", code, out, errOut)
	}
}
