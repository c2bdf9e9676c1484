package hostile_test

import (
	"context"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// beyondPods are attempts at objects that RBAC denies to an author in every namespace.
var beyondPods = []authorAttempt{
	{"a policy", object(&v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}), "cannot create resource"},
	{"a profile", object(&v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}),
		"cannot create resource"},
	{"a RuntimeClass", object(&nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "kata"}, Handler: "kata"}),
		"cannot create resource"},
	{"a RoleBinding of a grant", object(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "own",
			Name: "sysctl-injector:net.core.somaxconn:default", Labels: ours},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
			Name: "sysctl-injector:net.core.somaxconn"},
	}), "cannot create resource"},
	{"another webhook",
		object(&admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "mine"}}), "cannot create resource"},
	{"the server's Lease",
		object(&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
			Name: "mine"}}), "cannot create resource"},
	{"a pod beside the server", object(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: "mine"},
		Spec: corev1.PodSpec{ServiceAccountName: installation.Name,
			Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
	}), "cannot create resource"},
	{"a token of the server", func(ctx context.Context, a author) error {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
			Name: installation.Name}}
		return a.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
	}, "cannot create resource"},
	{"the label of their namespace", func(ctx context.Context, a author) error {
		patch := client.RawPatch(types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"sysctl-injector.dev/inject":"enabled",`+
				`"pod-security.kubernetes.io/enforce":"privileged"}}}`))
		return a.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}}, patch,
			client.DryRunAll)
	}, "cannot patch resource"},
	{"to be without the webhook", func(ctx context.Context, a author) error {
		return a.Delete(ctx,
			&admissionregistrationv1.MutatingWebhookConfiguration{
				ObjectMeta: metav1.ObjectMeta{Name: installation.Name}}, client.DryRunAll)
	}, "cannot delete resource"},
}

// An author in an enrolled namespace gets only the sysctls that a policy allows.
func TestAuthorInAnEnrolledNamespace(t *testing.T) {
	suite.Cluster(t)
	namespace := newNamespace(t,
		map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: "baseline"})
	a := author{userIn(t, namespace), namespace}
	a.awaitStandard(t)
	privileged := &corev1.SecurityContext{Privileged: new(true)}
	guest := func(pod *corev1.Pod) { pod.Spec.RuntimeClassName = new("kata") }
	a.tries(t, append([]authorAttempt{
		{"a good pod", pod(func(*corev1.Pod) {}), ""},
		{"a pod that asks for nothing", pod(func(p *corev1.Pod) { p.Annotations = nil }), ""},

		{"a second command in a value", pod(sysctls("net.core.somaxconn = 1; reboot")), "InvalidAnnotation: "},
		{"a substitution in a value", pod(sysctls("net.core.somaxconn = $(reboot)")), "InvalidAnnotation: "},
		{"a path in a name", pod(sysctls("kernel/../../../tmp/x = 1")), "InvalidAnnotation: "},
		{"a flag for a name", pod(sysctls("-p = /etc/shadow")), "InvalidAnnotation: "},
		{"a letter that looks the same", pod(sysctls("net.core.somaxc\u043enn = 1")), "InvalidAnnotation: "},
		{"a sysctl of the node", pod(sysctls("vm.max_map_count = 262144")), "NodeLevel: "},
		{"a program for the node's kernel to run", pod(sysctls("kernel.core_pattern = /tmp/x")),
			"denied the request: "},
		{"a sysctl that only the node's network has", pod(sysctls("net.core.netdev_max_backlog = 1")), "HostOnly: "},
		{"a name that does not exist", pod(sysctls("net.x = 1")), "UnknownSysctl: "},
		{"a kernel module for the node to load", pod(sysctls("net.ipv4.tcp_congestion_control = diag")),
			"denied the request: "},
		{"a sysctl on the node's network", pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), "HostNetwork: "},
		{"IPC sysctls of the node",
			pod(both(sysctls("kernel.sem = 1 2 3 4"), func(p *corev1.Pod) { p.Spec.HostIPC = true })), "HostIPC: "},
		{"a guest kernel by the name of its RuntimeClass",
			pod(both(sysctls("vm.max_map_count = 262144"), guest)), "kata"},
		{"a misspelt key", pod(func(p *corev1.Pod) { p.Annotations["sysctl-injector.dev/sysctl"] = "a" }),
			"UnknownKey: "},
		{"a long list of mistakes",
			pod(func(p *corev1.Pod) {
				p.Annotations[v1alpha1.SysctlsAnnotation] = strings.Repeat("a\n",
					120_000)
			}), "InvalidAnnotation: "},

		{"the container with another image", replaced(container(func(c *corev1.Container) { c.Image = "evil" })), ""},
		{"the container with a shell",
			replaced(container(func(c *corev1.Container) { c.Command = []string{"sh", "-c"} })), ""},
		{"the container with other values",
			replaced(container(func(c *corev1.Container) { c.Args = []string{"kernel.core_pattern=/tmp/x"} })), ""},
		{"the container with the value of another pod",
			replaced(container(func(c *corev1.Container) { c.Args = []string{"net.core.somaxconn=1"} })), ""},
		{"the container with a hook", replaced(container(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{
				PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh"}}}}
		})), ""},
		{"the container with a variable",
			replaced(container(func(c *corev1.Container) {
				c.Env = []corev1.EnvVar{{Name: "LD_PRELOAD",
					Value: "/x"}}
			})), ""},
		{"the container after another", replaced(func(p *corev1.Pod) {
			container(func(*corev1.Container) {})(p)
			p.Spec.InitContainers = append([]corev1.Container{{Name: "first", Image: "evil"}}, p.Spec.InitContainers...)
		}), ""},
		{"the container with the node's files", pod(both(container(func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "node", MountPath: "/node"}}
		}), func(p *corev1.Pod) {
			p.Spec.Volumes = []corev1.Volume{{Name: "node",
				VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		})), "hostPath volumes"},
		{"the container without asking",
			pod(both(container(func(*corev1.Container) {}), func(p *corev1.Pod) { p.Annotations = nil })), "denied"},
		{"an app of the container's name",
			pod(func(p *corev1.Pod) { p.Spec.Containers[0].Name = v1alpha1.ContainerName }), "denied the request: "},
		{"an additional privileged container",
			pod(func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext = privileged }),
			`privileged (container "web"`},
		{"an additional privileged init container", pod(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "more", Image: "evil", SecurityContext: privileged}}
		}), `privileged (container "more"`},
		{"also the node's processes", pod(func(p *corev1.Pod) { p.Spec.HostPID = true }),
			"host namespaces (hostPID=true)"},
		{"an unsafe sysctl of their own", pod(func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}}
		}), "forbidden sysctls"},

		{"another image, later", later(func(p *corev1.Pod) { p.Spec.InitContainers[0].Image = "evil" }), "image"},
		{"another command, later", later(func(p *corev1.Pod) { p.Spec.InitContainers[0].Command = []string{"sh"} }),
			"pod updates may not change fields"},
		{"an ephemeral container beside it", func(ctx context.Context, a author) error {
			return a.withPod(ctx, func(p *corev1.Pod) error {
				debugger := corev1.EphemeralContainer{TargetContainerName: v1alpha1.ContainerName,
					EphemeralContainerCommon: corev1.EphemeralContainerCommon{
						Name: "debugger", Image: "evil", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
						SecurityContext: privileged,
					}}
				p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, debugger)
				return a.SubResource("ephemeralcontainers").
					Update(ctx, p,
						&client.SubResourceUpdateOptions{
							UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
			})
		}, `privileged (container "debugger"`},
	}, beyondPods...))
}

// In other namespaces, an author gets nothing injected. Pod Security admission acts as it does without sysctl-injector.
func TestAuthorElsewhere(t *testing.T) {
	suite.Cluster(t)
	namespace := newNamespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "baseline"})
	other := newNamespace(t, map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	a := author{userIn(t, namespace), namespace}
	a.awaitStandard(t)
	a.tries(t, append([]authorAttempt{
		{"a pod that asks for nothing", pod(func(p *corev1.Pod) { p.Annotations = nil }), ""},
		{"the container, as it is injected", pod(container(func(*corev1.Container) {})),
			`privileged (container "sysctl-injector"`},
		{"the container, as if it had been injected",
			pod(both(container(func(*corev1.Container) {}), func(p *corev1.Pod) {
				p.Labels = map[string]string{v1alpha1.InjectedLabel: "true"}
			})), `privileged (container "sysctl-injector"`},
		{"an unsafe sysctl of their own", pod(func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}}
		}), "forbidden sysctls"},
		{"a pod in a namespace that is enrolled",
			func(ctx context.Context,
				a author) error {
				return a.Create(ctx, goodPod(other), client.DryRunAll)
			}, "cannot create resource"},
	}, beyondPods...))
	t.Run("a pod that asks is not injected", func(t *testing.T) {
		created := goodPod(namespace)
		must(t, a.Create(t.Context(), created))
		if len(created.Spec.InitContainers) > 0 {
			t.Errorf("it has init containers %v", created.Spec.InitContainers)
		}
	})
}
