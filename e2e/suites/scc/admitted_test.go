package scc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// decided is OpenShift's decision on a pod: the constraints that admit it, and the resulting user of the app, group of
// the pod and SELinux level of the pod. Zero stands for a field that the pod does not state. For a rejected pod, it is
// a part of the rejection.
type decided struct {
	Constraints    string
	UID, FSGroup   int64
	Level          string
	Rejected       string
	NoEscalation   bool // the app states allowPrivilegeEscalation: false
	RuntimeDefault bool // the pod states this seccomp profile
}

// as returns restricted-v2's decision on a pod that states nothing, with other constraints.
func as(constraints string, tweaks ...func(*decided)) decided {
	d := decided{Constraints: constraints, UID: firstUID, FSGroup: firstUID, Level: level, NoEscalation: true,
		RuntimeDefault: true}
	for _, tweak := range tweaks {
		tweak(&d)
	}
	return d
}

func uid(value int64) func(*decided)     { return func(d *decided) { d.UID = value } }
func fsGroup(value int64) func(*decided) { return func(d *decided) { d.FSGroup = value } }
func rejected(part string) decided       { return decided{Rejected: part} }

// pods are the pods of the test, each without and with an annotation, by which sysctl-injector adds its container. A
// source is a file of github.com/openshift/apiserver-library-go, a8019f39f670, below pkg/securitycontextconstraints.
var pods = []struct {
	name             string
	uses             string // further constraints that the service account may use
	annotation       string
	tweak            func(*corev1.Pod)
	plain, annotated decided
	source           string
}{
	{
		"states nothing", "", "net.core.somaxconn = 1024", func(*corev1.Pod) {},
		as("restricted-v2"), as("sysctl-injector"),
		"sccmatching/provider.go: what is not set is filled in, and what is set stays; so the second pass finds what " +
			"restricted-v2 set in the first",
	},
	{
		"states a user of the range", "", "net.core.somaxconn = 1024", func(p *corev1.Pod) { runAsUser(p, firstUID+5) },
		as("restricted-v2", uid(firstUID+5)), as("sysctl-injector", uid(firstUID+5)),
		"user/mustrunasrange.go; user/runasany.go",
	},
	{
		"states a user outside the range", "", "net.core.somaxconn = 1024", func(p *corev1.Pod) { runAsUser(p, 1001) },
		rejected("must be in the ranges: [1000680000, 1000689999]"),
		rejected("must be in the ranges: [1000680000, 1000689999]"),
		"user/mustrunasrange.go: the pod is rejected before a webhook is called",
	},
	{
		"adds NET_BIND_SERVICE", "", "net.core.somaxconn = 1024", func(p *corev1.Pod) {
			app(p).Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}}
		},
		as("restricted-v2"), as("sysctl-injector"),
		"capabilities/mustrunas.go",
	},
	{
		"has the image's user, by anyuid", "anyuid", "net.core.somaxconn = 1024", func(*corev1.Pod) {},
		decided{Constraints: "anyuid", Level: level},
		decided{Constraints: "sysctl-injector", FSGroup: firstUID, Level: level, NoEscalation: true,
			RuntimeDefault: true},
		"util/sort/bypriority.go: anyuid has priority 10, and so comes first; group/mustrunas.go",
	},
	{
		"sets an unsafe sysctl natively", "", "kernel.sem = 10000 1024000000 500 32000", func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.core.somaxconn",
				Value: "1024"}}}
		},
		rejected(`unsafe sysctl "net.core.somaxconn" is not allowed`),
		rejected(`unsafe sysctl "net.core.somaxconn" is not allowed`),
		"sysctl/mustmatchpatterns.go",
	},
	{
		"in a user namespace, with a user that it has", "", "net.core.somaxconn = 1024",
		func(p *corev1.Pod) { inUserNamespace(p, 1001) },
		as("restricted-v3", uid(1001), fsGroup(1000)), as("sysctl-injector-user-namespace", uid(1001), fsGroup(1000)),
		"sccmatching/provider.go, UserNamespaceLevel; user/mustrunasrange.go: restricted-v3 has 1000 to 65534, and " +
			"the injected container 0",
	},
	{
		"in a user namespace, IPC names only", "", "kernel.sem = 10000 1024000000 500 32000",
		func(p *corev1.Pod) { inUserNamespace(p, 1001) },
		as("restricted-v3", uid(1001), fsGroup(1000)), as("sysctl-injector-user-namespace", uid(1001), fsGroup(1000)),
		"the same",
	},
	{
		"in a user namespace, with no user stated", "", "net.core.somaxconn = 1024",
		func(p *corev1.Pod) { p.Spec.HostUsers = new(false) },
		as("restricted-v2"), rejected("provider sysctl-injector-user-namespace: .spec.securityContext.fsGroup: " +
			"Invalid value: [1000680000]: 1000680000 is not an allowed group"),
		"util/sort/byrestrictions.go: restricted-v2 and restricted-v3 have as many points; bypriority.go: then " +
			"the name decides",
	},
	{
		"in a user namespace, by nested-container", "nested-container", "kernel.sem = 10000 1024000000 500 32000",
		func(p *corev1.Pod) {
			inUserNamespace(p, 1001)
			p.Annotations["openshift.io/required-scc"] = "nested-container"
		},
		decided{Constraints: "nested-container", UID: 1001,
			Level: level}, rejected(`SELinux type "container_engine_t"`),
		"sccadmission/admission.go: only the required constraints are tried; selinux/mustrunas.go",
	},
	{
		"only reads", "", "net.core.somaxconn >= 128", verifies,
		as("restricted-v2"), rejected("initContainers[0].runAsUser: Invalid value: 65534: must be in the ranges: " +
			"[1000680000, 1000689999]"),
		"user/mustrunasrange.go",
	},
	{
		"only reads, by nonroot-v2", "nonroot-v2", "net.core.somaxconn >= 128", verifies,
		as("restricted-v2"), as("nonroot-v2"),
		"user/nonroot.go",
	},
	{
		"only reads, in a user namespace", "", "net.core.somaxconn >= 128",
		func(p *corev1.Pod) { verifies(p); inUserNamespace(p, 1001) },
		as("restricted-v3", uid(1001), fsGroup(1000)), as("restricted-v3", uid(1001), fsGroup(1000)),
		"user/mustrunasrange.go: 65534 is within restricted-v3's range",
	},
}

func app(p *corev1.Pod) *corev1.SecurityContext {
	if p.Spec.Containers[0].SecurityContext == nil {
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{}
	}
	return p.Spec.Containers[0].SecurityContext
}

func runAsUser(p *corev1.Pod, user int64)       { app(p).RunAsUser = &user }
func inUserNamespace(p *corev1.Pod, user int64) { p.Spec.HostUsers = new(false); runAsUser(p, user) }
func verifies(p *corev1.Pod)                    { p.Annotations[v1alpha1.ModeAnnotation] = "verify" }

// TestConstraintsThatAdmit lets OpenShift decide on pods with and without the annotation. Each pod has a service
// account of its own.
func TestConstraintsThatAdmit(t *testing.T) {
	const namespace = "bank"
	newNamespace(t, namespace, "baseline")
	admin, _ := clients(t)
	for _, test := range pods {
		t.Run(test.name, func(t *testing.T) {
			account, err := admin.CoreV1().ServiceAccounts(namespace).Create(t.Context(),
				&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "account-"}}, metav1.CreateOptions{})
			must(t, err)
			if test.uses != "" {
				allow(t, namespace, account.Name, test.uses)
			}
			for _, variant := range []struct {
				annotation string
				want       decided
			}{{"", test.plain}, {test.annotation, test.annotated}} {
				pod := newPod(namespace, account.Name, variant.annotation)
				test.tweak(pod)
				t.Logf("annotation %q; rule: %s", variant.annotation, test.source)
				compare(t, variant.want, create(t, pod))
			}
		})
	}
}

func compare(t *testing.T, want, got decided) {
	t.Helper()
	if want.Rejected != "" && strings.Contains(got.Rejected, want.Rejected) {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
}

// allow lets a service account use OpenShift's own constraints.
func allow(t *testing.T, namespace, account, constraints string) {
	t.Helper()
	admin, _ := clients(t)
	clustertest.Bind(t, admin, namespace, "system:openshift:scc:"+constraints,
		rbacv1.Subject{Kind: rbacv1.ServiceAccountKind,
			Namespace: namespace, Name: account})
	mayUse(t, namespace, account, constraints)
}

func newPod(namespace, account, sysctls string) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Namespace: namespace, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{ServiceAccountName: account,
			Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	if sysctls != "" {
		pod.Annotations[v1alpha1.SysctlsAnnotation] = sysctls
	}
	return pod
}

// create creates a pod as the developer, and returns what OpenShift decided. The injected container has to be as the
// template says.
func create(t *testing.T, pod *corev1.Pod) decided {
	t.Helper()
	_, dev := clients(t)
	created, err := clustertest.CreatePod(t.Context(), dev.CoreV1().Pods(pod.Namespace), pod)
	if err != nil {
		return decided{Rejected: err.Error()}
	}
	got := decided{Constraints: created.Annotations[usedConstraints]}
	if of := created.Spec.SecurityContext; of != nil {
		got.FSGroup = valueOf(of.FSGroup)
		if of.SELinuxOptions != nil {
			got.Level = of.SELinuxOptions.Level
		}
		got.RuntimeDefault = of.SeccompProfile != nil &&
			of.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault
	}
	if of := created.Spec.Containers[0].SecurityContext; of != nil {
		got.UID = valueOf(of.RunAsUser)
		got.NoEscalation = of.AllowPrivilegeEscalation != nil && !*of.AllowPrivilegeEscalation
	}
	if form := formOf(created); form != "" {
		var want corev1.Container
		must(t, templates.Decode(templates.Forms, "forms/"+form+".yaml", &want))
		if diff := cmp.Diff(want.SecurityContext, created.Spec.InitContainers[0].SecurityContext); diff != "" {
			t.Errorf("security context of the injected container (-template +pod):\n%s", diff)
		}
	}
	return got
}

// formOf names the template of a pod's injected container.
func formOf(pod *corev1.Pod) string {
	if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != v1alpha1.ContainerName {
		return ""
	}
	switch {
	case pod.Annotations[v1alpha1.ModeAnnotation] == "verify":
		return "verify"
	case pod.Spec.HostUsers == nil:
		return "privileged"
	case strings.HasPrefix(pod.Annotations[v1alpha1.SysctlsAnnotation], "net."):
		return "user-namespace-net"
	}
	return "user-namespace"
}

func valueOf(number *int64) int64 {
	if number == nil {
		return 0
	}
	return *number
}
