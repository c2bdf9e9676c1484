package injection

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// safe has been safe since Kubernetes 1.4, unsafe is not.
const (
	safe   = "net.ipv4.ip_local_port_range = 1024 65000\n"
	unsafe = "net.core.somaxconn = 4096\n"
)

func TestNativeFirst(t *testing.T) {
	nativeFirst := Config{Strategy: form.NativeFirst}
	declared := Config{Strategy: form.NativeFirst, KubeletSysctls: []string{"net.core.*"}}
	safeEntry := corev1.Sysctl{Name: "net.ipv4.ip_local_port_range", Value: "1024 65000"}
	unsafeEntry := corev1.Sysctl{Name: "net.core.somaxconn", Value: "4096"}
	for _, test := range []struct {
		name      string
		config    Config
		tweak     func(*world)
		native    []corev1.Sysctl
		container []string // its arguments; nil for none
		reason    string
		status    string
	}{
		{"a safe name needs no container", nativeFirst, func(w *world) { w.sysctls(safe) }, []corev1.Sysctl{safeEntry},
			nil, ReasonInjected,
			`{"version":"v1.2.3","kernel":"Shared","sysctls":["net.ipv4.ip_local_port_range=1024 65000"],` +
				`"native":["net.ipv4.ip_local_port_range=1024 65000"]}`},
		{"the others are left to the container", nativeFirst, func(w *world) { w.sysctls(unsafe + safe) },
			[]corev1.Sysctl{safeEntry}, []string{"net.core.somaxconn=4096"}, ReasonInjected,
			`{"version":"v1.2.3","kernel":"Shared","form":"privileged",` +
				`"sysctls":["net.core.somaxconn=4096","net.ipv4.ip_local_port_range=1024 65000"],` +
				`"native":["net.ipv4.ip_local_port_range=1024 65000"]}`},
		{"what all kubelets allow is native too", declared, func(w *world) { w.sysctls(unsafe + safe) },
			[]corev1.Sysctl{unsafeEntry, safeEntry}, nil, ReasonInjected, ""},
		{"the pod's strategy counts", Config{}, func(w *world) {
			w.sysctls(safe)
			w.annotate(v1alpha1.StrategyAnnotation, "native-first")
		}, []corev1.Sysctl{safeEntry}, nil, ReasonInjected, ""},
		{"the pod's strategy counts where the server's is another", nativeFirst, func(w *world) {
			w.sysctls(safe)
			w.annotate(v1alpha1.StrategyAnnotation, " init-container ")
		}, nil, []string{"net.ipv4.ip_local_port_range=1024 65000"}, ReasonInjected, ""},
		{"entries that the pod has are kept, in their place", nativeFirst, func(w *world) {
			w.sysctls(safe)
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "net.ipv4.tcp_syncookies", Value: "1"}},
			}
		}, []corev1.Sysctl{{Name: "net.ipv4.tcp_syncookies", Value: "1"}, safeEntry}, nil, ReasonInjected, ""},
		{"an entry that says the same stays", nativeFirst, func(w *world) {
			w.sysctls(safe)
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "net/ipv4/ip_local_port_range", Value: "1024  65000"}},
			}
		}, []corev1.Sysctl{{Name: "net/ipv4/ip_local_port_range", Value: "1024  65000"}}, nil,
			ReasonAlreadyInjected, ""},
		{"other fields of the security context stay", nativeFirst, func(w *world) {
			w.sysctls(safe)
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true)}
		}, []corev1.Sysctl{safeEntry}, nil, ReasonInjected, ""},
		{"a container that is no longer needed goes", nativeFirst, func(w *world) {
			w.sysctls(safe)
			w.pod.Spec.InitContainers = []corev1.Container{{Name: "first"}, injected()}
		}, []corev1.Sysctl{safeEntry}, nil, ReasonInjected, ""},
		{"a name is safe only if the oldest kubelet counts it so",
			Config{Strategy: form.NativeFirst, Kubernetes: func() uint { return 34 }}, func(w *world) {
				w.sysctls("net.ipv4.tcp_rmem = 4096 131072 6291456")
			}, nil, []string{"net.ipv4.tcp_rmem=4096 131072 6291456"}, ReasonInjected, ""},
		{"and then it is", Config{Strategy: form.NativeFirst, Kubernetes: func() uint { return 35 }}, func(w *world) {
			w.sysctls("net.ipv4.tcp_rmem = 4096 131072 6291456")
		}, []corev1.Sysctl{{Name: "net.ipv4.tcp_rmem", Value: "4096 131072 6291456"}}, nil, ReasonInjected, ""},
		{"nothing is native while the version is not known", Config{Strategy: form.NativeFirst,
			Kubernetes: func() uint { return 0 }}, func(w *world) { w.sysctls(safe) },
			nil, []string{"net.ipv4.ip_local_port_range=1024 65000"}, ReasonInjected, ""},
		{"in a guest, the container sets all", nativeFirst, func(w *world) { w.guest(); w.sysctls(safe) }, nil,
			[]string{"net.ipv4.ip_local_port_range=1024 65000"}, ReasonInjected, ""},
		{"in a user namespace too, a safe name needs no container", nativeFirst,
			func(w *world) { w.sysctls(safe); w.pod.Spec.HostUsers = new(false) },
			[]corev1.Sysctl{safeEntry}, nil, ReasonInjected, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			test.tweak(w)
			outcome := w.decide(t, test.config)
			if outcome.Reason != test.reason {
				t.Fatalf("reason %q, want %q: %s", outcome.Reason, test.reason, outcome.Message())
			}
			patched := apply(t, w.pod, outcome)
			var native []corev1.Sysctl
			if patched.Spec.SecurityContext != nil {
				native = patched.Spec.SecurityContext.Sysctls
				patched.Spec.SecurityContext.Sysctls = nil
			}
			if diff := cmp.Diff(test.native, native); diff != "" {
				t.Errorf("securityContext.sysctls (-want +got):\n%s", diff)
			}
			if before := w.pod.Spec.SecurityContext; before != nil && before.RunAsNonRoot != nil &&
				patched.Spec.SecurityContext.RunAsNonRoot == nil {
				t.Error("securityContext.runAsNonRoot is lost")
			}
			var container []string
			for _, c := range patched.Spec.InitContainers {
				if c.Name == v1alpha1.ContainerName {
					container = c.Args
				}
			}
			if diff := cmp.Diff(test.container, container); diff != "" {
				t.Errorf("the container's arguments (-want +got):\n%s", diff)
			}
			// A PodSecurityPolicy asks for all that Kubernetes sets, what the pod states itself included.
			var contained, natively []string
			for _, s := range outcome.Sysctls {
				if s.Form == form.Native {
					natively = append(natively, s.Name)
				} else {
					contained = append(contained, s.Name)
				}
			}
			if before := w.pod.Spec.SecurityContext; before != nil {
				for _, stated := range before.Sysctls {
					if name := strings.ReplaceAll(stated.Name, "/", "."); !slices.Contains(natively, name) {
						natively = append(natively, name)
					}
				}
			}
			want := &policy.Grant{Namespace: outcome.Grant.Namespace, ServiceAccount: outcome.Grant.ServiceAccount,
				Sysctls: contained, NativeSysctls: natively}
			if diff := cmp.Diff(want, outcome.Grant); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
			if got := patched.Annotations[v1alpha1.StatusAnnotation]; test.status != "" && got != test.status {
				t.Errorf("status\ngot  %s\nwant %s", got, test.status)
			}
			again := decideJSON(t, string(mustMarshal(apply(t, w.pod, outcome))), test.config, w)
			if again.Reason != ReasonAlreadyInjected || len(again.Operations) > 0 {
				t.Errorf("the second time: %s, %s", again.Reason, mustMarshal(again.Operations))
			}
		})
	}
}

func TestNativeFirstIsHeldToTheSameRules(t *testing.T) {
	w := validWorld()
	w.sysctls(safe)
	w.pod.Spec.HostNetwork = true
	if got := w.decide(t, Config{Strategy: form.NativeFirst}).Reason; got != "HostNetwork" {
		t.Errorf("on the host network: %s", got)
	}
	w = validWorld()
	w.annotate(v1alpha1.StrategyAnnotation, "native")
	outcome := w.decide(t, Config{})
	const want = `InvalidAnnotation: metadata.annotations[sysctl-injector.dev/strategy]: Unsupported value: ` +
		`"native": supported values: "init-container", "native-first"`
	if got := outcome.Message(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Unsafe names are set by the container where Pod Security admission would reject them natively: then the message
// names the way out.
func TestDeclaredSysctlsUnderPodSecurity(t *testing.T) {
	w := validWorld()
	w.sysctls(unsafe)
	for level, want := range map[string]string{"baseline": "PodSecurity", "restricted": "PodSecurity",
		"privileged": ReasonInjected} {
		outcome := w.decideIn(t, Config{Strategy: form.NativeFirst, KubeletSysctls: []string{"net.*"}},
			map[string]string{"pod-security.kubernetes.io/enforce": level})
		if outcome.Reason != want {
			t.Errorf("%s: %s, want %s", level, outcome.Reason, want)
		}
	}
	w.sysctls(safe)
	for _, level := range []string{"baseline", "restricted"} {
		outcome := w.decideIn(t, Config{Strategy: form.NativeFirst},
			map[string]string{"pod-security.kubernetes.io/enforce": level})
		if outcome.Reason != ReasonInjected {
			t.Errorf("a safe name at %s: %s", level, outcome.Message())
		}
	}
}

// The guard of an older Kubernetes version stays until it is rendered again. It must find the grants that it asks for,
// so the server of a newer version makes the same.
func TestGrantIsTheSameInEveryVersion(t *testing.T) {
	for _, name := range []string{"net.core.somaxconn", "kernel.shmmni"} {
		for _, hostUsers := range []bool{true, false} {
			for minor := uint(31); minor <= form.NewestKubernetes; minor++ {
				w := validWorld()
				w.sysctls(name + " = 512")
				w.pod.Spec.HostUsers = &hostUsers
				grant := w.decide(t, Config{Kubernetes: func() uint { return minor }}).Grant
				if grant == nil || !slices.Equal(grant.Sysctls, []string{name}) {
					t.Errorf("%s on Kubernetes 1.%d, hostUsers: %t: grant %+v", name, minor, hostUsers, grant)
				}
			}
		}
	}
}

// Kubelets may be three minor versions older than the API servers.
func TestKubeletsAllow(t *testing.T) {
	for _, test := range []struct {
		name, sysctl string
		minor        uint
		want         bool
	}{
		{"a name that is safe on the oldest kubelet", "net.ipv4.tcp_rmem", 35, true},
		{"a name that the oldest kubelet rejects", "net.ipv4.tcp_rmem", 34, false},
		{"an unsafe name", "net.core.somaxconn", 37, false},
		{"a declared name", "kernel.sem", 31, true},
		{"a safe name while the version is unknown", "net.ipv4.tcp_rmem", 0, true},
		{"an unsafe name while the version is unknown", "net.core.somaxconn", 0, false},
	} {
		injector, err := New(Config{KubeletSysctls: []string{"kernel.*"},
			Kubernetes: func() uint { return test.minor }})
		if err != nil {
			t.Fatal(err)
		}
		if got := injector.KubeletsAllow(test.sysctl); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}
