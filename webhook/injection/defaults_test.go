package injection

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// withDefault is a world in which a profile applies to pods with the label app=web, and where the pod asks for
// nothing.
func withDefault(sysctls string) *world {
	return withDefaultFor(metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, sysctls)
}

// withDefaultFor is the same for the pods that a selector selects.
func withDefaultFor(pods metav1.LabelSelector, sysctls string) *world {
	w := validWorld()
	w.pod.Annotations = map[string]string{}
	w.namespace = map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled,
		v1alpha1.DefaultsLabel: v1alpha1.DefaultsEnabled}
	p, _ := policy.CompileProfile(&v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: "base"},
		Spec: v1alpha1.SysctlProfileSpec{
			Sysctls: sysctls, AppliesTo: &v1alpha1.AppliesTo{PodSelector: pods},
		}})
	w.defaults = []*policy.Profile{p}
	return w
}

func TestDefaults(t *testing.T) {
	const two = "net.core.somaxconn = 4096\nnet.ipv4.tcp_fin_timeout = 30"
	const remedy = `. This namespace has defaults, and SysctlProfile base applies to the pod. ` +
		`To create it without them, give it the annotation sysctl-injector.dev/profiles: ""; ` +
		`an administrator can narrow the profile's spec.appliesTo`
	const profiles = "metadata.annotations[sysctl-injector.dev/profiles]: "
	for _, test := range []struct {
		name    string
		sysctls string
		tweak   func(*world)
		reason  string
		args    []string // of the container
		status  string   // all but the version, kernel and sysctls
		message string   // of a denial
	}{
		{name: "apply to a pod that asks for nothing", reason: "Injected",
			args: []string{"net.core.somaxconn=4096", "net.ipv4.tcp_fin_timeout=30"},
			status: `"defaults":["base"],"from":{"net.core.somaxconn":"default base",` +
				`"net.ipv4.tcp_fin_timeout":"default base"}`},
		{name: "are below the pod's own lines", tweak: func(w *world) { w.sysctls("net.core.somaxconn = 512") },
			reason: "Injected",
			args:   []string{"net.ipv4.tcp_fin_timeout=30", "net.core.somaxconn=512"},
			status: `"defaults":["base"],"from":{"net.core.somaxconn":"pod over default base",` +
				`"net.ipv4.tcp_fin_timeout":"default base"}`},
		{name: "are below named profiles", tweak: func(w *world) { w.annotate(v1alpha1.ProfilesAnnotation, "nginx") },
			reason: "Injected",
			args:   []string{"net.ipv4.tcp_fin_timeout=30", "net.core.somaxconn=32768"},
			status: `"defaults":["base"],"from":{"net.core.somaxconn":"profile nginx over default base",` +
				`"net.ipv4.tcp_fin_timeout":"default base"}`},
		{name: "do not apply to a pod with other labels", tweak: func(w *world) { w.pod.Labels["app"] = "db" },
			reason: "NotRequested"},
		{
			name:   "do not apply to a pod without labels",
			tweak:  func(w *world) { w.pod.Labels = nil },
			reason: "NotRequested",
		},
		{name: "do not apply without the namespace's label", tweak: func(w *world) {
			delete(w.namespace,
				v1alpha1.DefaultsLabel)
		}, reason: "NotRequested"},
		{name: "do not apply to a pod that opts out of them",
			tweak: func(w *world) { w.annotate(v1alpha1.ProfilesAnnotation, "") }, reason: "NotRequested"},
		{name: "do not apply to a pod that opts out of everything",
			tweak: func(w *world) { w.annotate(v1alpha1.InjectAnnotation, "false") }, reason: "OptedOut"},
		{name: "leave a pod its own lines when it opts out of them", reason: "Injected",
			args: []string{"net.core.somaxconn=512"},
			tweak: func(w *world) {
				w.annotate(v1alpha1.ProfilesAnnotation, " ")
				w.sysctls("net.core.somaxconn = 512")
			}},
		{name: "reject a pod that cannot have them, and say how to opt out",
			tweak:   func(w *world) { w.pod.Spec.HostNetwork = true },
			sysctls: "net.core.somaxconn = 4096", reason: "HostNetwork",
			message: "HostNetwork: " + profiles +
				`Forbidden: default profile "base", line 1: net.core.somaxconn would change the node: ` +
				`the pod shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the ` +
				`sysctl` + remedy},
		{name: "reject a pod whose default cannot be read", sysctls: "net.core.somaxconn", reason: "InvalidProfile",
			message: "InvalidProfile: " + profiles +
				`Forbidden: SysctlProfile "base" cannot be read: spec.sysctls: Invalid value: "net.core.somaxconn": ` +
				`line 1: there is no "=": write one "name = value" a line` + remedy},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.sysctls == "" {
				test.sysctls = two
			}
			w := withDefault(test.sysctls)
			if test.tweak != nil {
				test.tweak(w)
			}
			outcome := w.decide(t, Config{})
			if outcome.Reason != test.reason {
				t.Errorf("reason %s, want %s", outcome.Reason, test.reason)
			}
			if outcome.IsDenied() || test.message != "" {
				if got := outcome.Message(); got != test.message {
					t.Errorf("message %q, want %q", got, test.message)
				}
				return
			}
			after := apply(t, w.pod, outcome)
			if len(test.args) == 0 {
				if len(outcome.Operations) > 0 {
					t.Errorf("operations %v", outcome.Operations)
				}
				return
			}
			if diff := cmp.Diff(test.args, after.Spec.InitContainers[0].Args); diff != "" {
				t.Errorf("args (-want +got):\n%s", diff)
			}
			want, err := json.Marshal(test.args)
			if err != nil {
				t.Fatal(err)
			}
			status := `{"version":"v1.2.3","kernel":"Shared","form":"privileged","sysctls":` + string(want)
			if test.status != "" {
				status += "," + test.status
			}
			if diff := cmp.Diff(status+"}", after.Annotations[v1alpha1.StatusAnnotation]); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
			// A second call changes nothing more.
			w.pod = after
			if again := w.decide(t, Config{}); again.Reason != ReasonAlreadyInjected || len(again.Operations) > 0 {
				t.Errorf("a second call: %s, %v", again.Reason, again.Operations)
			}
		})
	}
}

func TestStatusIsWhatEncodingJSONMakesOfIt(t *testing.T) {
	for _, status := range []Status{
		{Version: "v1", Kernel: v1alpha1.SharedKernel, Sysctls: []string{"a.b=1"}},
		{Version: "v1", Kernel: v1alpha1.SharedKernel, Sysctls: []string{"a.b=1", "a.c=\"2\""},
			Defaults: []string{"x", "y"}, From: map[string]string{"b": "pod", "a": "default x"}},
	} {
		if got, want := status.encode(), string(mustMarshal(status)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
