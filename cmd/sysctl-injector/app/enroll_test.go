package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// enrollCluster is a cluster with an installation. The server has the default settings.
type enrollCluster struct {
	// system is the namespace of the installation.
	system string
	// kubernetes is the cluster's version. guard is the version that the installed guard is for; "": there is none.
	kubernetes, guard string
	objects           []client.Object
	// hidesDeployments is set if the person may not read Deployments.
	hidesDeployments bool
}

// namespaceWith returns a namespace with "KEY=VALUE" labels, and with the API server's own label.
func namespaceWith(name string, labels ...string) *corev1.Namespace {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name,
		Labels: map[string]string{corev1.LabelMetadataName: name}}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		n.Labels[key] = value
	}
	return n
}

// enrolledAt returns a namespace as enroll leaves it.
func enrolledAt(name, level string) *corev1.Namespace {
	n := namespaceWith(name, "pod-security.kubernetes.io/enforce=privileged", "sysctl-injector.dev/inject=enabled",
		"sysctl-injector.dev/enforce="+level)
	n.Annotations = map[string]string{"sysctl-injector.dev/former-enforce": level}
	return n
}

// agent returns a workload that baseline rejects.
func agent(namespace string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "agent"},
		Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{HostNetwork: true}}}}
}

func (c enrollCluster) client(t *testing.T) client.Client {
	t.Helper()
	webhook := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", webhook); err != nil {
		t.Fatal(err)
	}
	for i := range webhook.Webhooks {
		webhook.Webhooks[i].ClientConfig.Service.Namespace = c.system
	}
	objects := append([]client.Object{webhook}, c.objects...)
	for _, name := range []string{c.system, metav1.NamespaceSystem} {
		if !slices.ContainsFunc(objects, func(o client.Object) bool { return o.GetName() == name }) {
			objects = append(objects, namespaceWith(name))
		}
	}
	if c.guard != "" {
		objects = append(objects, installedIn(t, c.system, c.guard)...)
	}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, object client.Object,
			options ...client.GetOption) error {
			if _, is := object.(*appsv1.Deployment); is && c.hidesDeployments {
				return apierrors.NewForbidden(appsv1.Resource("deployments"), key.Name, errors.New("no"))
			}
			return inner.Get(ctx, key, object, options...)
		},
	}).Build()
}

// installedIn returns the guard for a version of Kubernetes, as the chart installs it in a namespace.
func installedIn(t *testing.T, namespace, kubernetes string) []client.Object {
	t.Helper()
	rendered, err := guard.Render(guard.Config{Images: []string{form.DefaultImage()},
		GuestHandlers: policy.DefaultGuestHandlers(), KubernetesVersion: kubernetes})
	if err != nil {
		t.Fatal(err)
	}
	g, err := inspect.NewGuard(rendered).In(namespace)
	if err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for i := range g.Policies {
		objects = append(objects, &g.Policies[i])
	}
	for i := range g.Bindings {
		objects = append(objects, &g.Bindings[i])
	}
	return objects
}

// says runs enroll or unenroll without an answer on standard input, and compares all that the command prints.
func (c enrollCluster) says(t *testing.T, want, command string, args ...string) {
	t.Helper()
	o := &enrollOptions{}
	cmd := &cobra.Command{Use: command}
	o.addFlags(cmd, "")
	cmd.Flags().StringVar(&o.enforce, "enforce", "", "")
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	cmd.SetContext(t.Context())
	cmd.SetOut(&printed)
	cmd.SetErr(&printed)
	shared := &terms{cluster: c.client(t), version: c.kubernetes, answers: bufio.NewReader(strings.NewReader("")),
		questions: &printed}
	begin := o.enrolling
	if command == "unenroll" {
		begin = o.unenrolling
	}
	if err := o.each(cmd, shared, cmd.Flags().Args(), begin); err != nil {
		printed.WriteString("error: " + err.Error() + "\n")
	}
	if diff := cmp.Diff(want, printed.String()); diff != "" {
		t.Errorf("%s %s (-want +got):\n%s", command, strings.Join(args, " "), diff)
	}
}

const enrolledShop = `namespace/shop enrolled
  label pod-security.kubernetes.io/enforce: add "privileged"
  label sysctl-injector.dev/enforce: add "baseline"
  label sysctl-injector.dev/inject: add "enabled"
  annotation sysctl-injector.dev/former-enforce: add ""
`

func TestEnrollWithAnInstallationInAnyNamespace(t *testing.T) {
	for _, system := range []string{inspect.SystemNamespace, "other"} {
		t.Run(system, func(t *testing.T) {
			c := enrollCluster{system: system, kubernetes: "v1.37.2", guard: "v1.37.2",
				objects: []client.Object{namespaceWith("shop")}}
			c.says(t, enrolledShop, "enroll", "shop")
			// -A and -l skip the namespaces where nothing acts; by name they are an error.
			c.says(t, enrolledShop, "enroll", "-A")
			c.says(t, enrolledShop, "enroll", "-l", corev1.LabelMetadataName)
			for _, name := range []string{system, metav1.NamespaceSystem} {
				excluded := `error: namespace "` + name + `": neither the webhook nor the guard acts in this ` +
					"namespace, so it cannot be enrolled\n"
				c.says(t, excluded, "enroll", name)
				c.says(t, excluded, "enroll", name, "--enforce", "privileged")
			}
			c.guard = ""
			c.says(t, `error: namespace "`+system+`": neither the webhook nor the guard acts in this namespace, so `+
				"it cannot be enrolled\n", "enroll", system)
		})
	}
}

func TestEnrollSkipsWhatSomebodyExcludesFromTheGuard(t *testing.T) {
	c := enrollCluster{system: "other", kubernetes: "v1.37.2"}
	c.objects = append(installedIn(t, "other", "v1.37.2"), namespaceWith("dns", "team=core"),
		namespaceWith("shop", "team=web"))
	for _, object := range c.objects {
		if p, is := object.(*admissionregistrationv1.ValidatingAdmissionPolicy); is {
			names := &p.Spec.MatchConstraints.NamespaceSelector.MatchExpressions[0].Values
			*names = append(*names, "dns")
		}
	}
	c.says(t, enrolledShop, "enroll", "-A")
	c.says(t, "error: no namespace is selected\n", "enroll", "-l", "team=core")
}

// Somebody may have labelled kube-system; unenroll takes the labels away, as uninstall-check demands.
func TestUnenrollSelectsEveryEnrolledNamespace(t *testing.T) {
	c := enrollCluster{system: "other", kubernetes: "v1.37.2"}
	c.objects = []client.Object{enrolledAt("shop", "restricted"), namespaceWith("plain"),
		namespaceWith("kube-system", "sysctl-injector.dev/inject=enabled")}
	const want = `In namespace "kube-system", containers are held to "baseline" now; then Pod Security admission holds ` +
		`them to the cluster's default level.
That may be weaker.
namespace/kube-system unenrolled
  label sysctl-injector.dev/inject: remove "enabled"
In namespace "shop", containers are held to "restricted" now; then Pod Security admission holds them to "restricted".
namespace/shop unenrolled
  label pod-security.kubernetes.io/enforce: change "privileged" to "restricted"
  label sysctl-injector.dev/enforce: remove "restricted"
  label sysctl-injector.dev/inject: remove "enabled"
  annotation sysctl-injector.dev/former-enforce: remove "restricted"
`
	c.says(t, want, "unenroll", "-A", "--yes")
}

// rejectedAgent is what enroll says about the workload agent.
const rejectedAgent = `In namespace "shop", "baseline" would reject new pods of these workloads:
  DaemonSet "agent": host namespaces (hostNetwork=true)
`

func TestEnrollAgain(t *testing.T) {
	c := enrollCluster{system: "other", kubernetes: "v1.37.2", guard: "v1.37.2",
		objects: []client.Object{enrolledAt("shop", "baseline"), agent("shop")}}
	c.says(t, "namespace/shop unchanged\n", "enroll", "shop")
	c.says(t, "namespace/shop unchanged\n", "enroll", "shop", "--enforce", "baseline")
	c.guard = ""
	c.says(t, `error: namespace "shop": nothing would hold the other containers to "baseline": `+
		`ValidatingAdmissionPolicy "sysctl-injector-baseline" is not installed; install the guard of this version `+
		`(`+buildVersion()+`) for Kubernetes v1.37.2: sysctl-injector render guard --kubernetes-version v1.37.2 | `+
		"sed s/sysctl-injector-system/other/ | kubectl apply --server-side --force-conflicts -f -\n", "enroll", "shop")
}

// A lower level is the person's choice. The command shows it, and checks the guard and the workloads against it.
func TestEnrollLowersALevel(t *testing.T) {
	c := enrollCluster{system: "other", kubernetes: "v1.37.2", guard: "v1.37.2",
		objects: []client.Object{enrolledAt("shop", "restricted")}}
	lowered := func(to string) string {
		return `namespace/shop enrolled
  label sysctl-injector.dev/enforce: change "restricted" to "` + to + "\"\n"
	}
	c.says(t, lowered("baseline"), "enroll", "shop", "--enforce", "baseline")
	c.objects = append(c.objects, agent("shop"))
	c.says(t, rejectedAgent+`Continue? [y/N] 
error: namespace "shop": nothing was changed; fix the workloads, choose another --enforce, or add --yes
`, "enroll", "shop", "--enforce", "baseline")
	c.says(t, lowered("privileged"), "enroll", "shop", "--enforce", "privileged")
	c.guard = "" // not needed: it holds nothing at this level
	c.says(t, lowered("privileged"), "enroll", "shop", "--enforce", "privileged")
}

func TestEnrollJudgesWorkloadsByTheClustersVersion(t *testing.T) {
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	web.Spec.Template.Spec.SecurityContext = &corev1.PodSecurityContext{
		Sysctls: []corev1.Sysctl{{Name: "net.ipv4.tcp_rmem", Value: "4096 131072 6291456"}}}
	c := enrollCluster{system: "other", kubernetes: "v1.31.14", guard: "v1.31.14",
		objects: []client.Object{namespaceWith("shop"), web}}
	c.says(t, `In namespace "shop", "baseline" would reject new pods of these workloads:
  Deployment "web": forbidden sysctls (net.ipv4.tcp_rmem)
`+enrolledShop, "enroll", "shop", "--yes")
	c.kubernetes, c.guard = "v1.32.1", "v1.32.1"
	c.says(t, enrolledShop, "enroll", "shop", "--yes")
}

// The guard stays as it is in an upgrade of Kubernetes. The command to render it again has the server's settings.
func TestEnrollAfterAnUpgradeOfKubernetes(t *testing.T) {
	server := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "sysctl-injector"}}
	server.Spec.Template.Spec.Containers = []corev1.Container{{Args: []string{"--kubelet-sysctls=net.core.*"}}}
	const problem = `error: namespace "shop": nothing would hold the other containers to "baseline": ` +
		`ValidatingAdmissionPolicy "sysctl-injector-baseline" differs from this version in variables; `
	install := "install the guard of this version (" + buildVersion() + ") for Kubernetes v1.37.2: "
	c := enrollCluster{system: "other", kubernetes: "v1.37.2", guard: "v1.36.3",
		objects: []client.Object{namespaceWith("shop"), server}}
	c.says(t, problem+install+"sysctl-injector render guard --kubernetes-version v1.37.2 --kubelet-sysctls "+
		"'net.core.*' | sed s/sysctl-injector-system/other/ | kubectl apply --server-side --force-conflicts -f -\n",
		"enroll", "shop")
	c.hidesDeployments = true
	c.says(t, problem+install+"sysctl-injector check prints the command, if you may read the server's Deployment\n",
		"enroll", "shop")
}
