package scc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

var resources = map[string]schema.GroupVersionResource{
	"SecurityContextConstraints": {Group: "security.openshift.io", Version: "v1",
		Resource: "securitycontextconstraints"},
	"ClusterRole": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	"RoleBinding": {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
}

// TestCompanionIsWhatTheServerApplies compares the output of companion with the objects that the server has applied, in
// every field. OpenShift's CRD accepts and keeps every field.
func TestCompanionIsWhatTheServerApplies(t *testing.T) {
	const namespace = "companion"
	newNamespace(t, namespace, "restricted", "web")
	client, err := dynamic.NewForConfig(clusterOf(t).RESTConfig())
	must(t, err)
	for _, form := range []struct {
		name, sysctls string
		tweak         func(*corev1.Pod)
	}{
		{"privileged", "net.core.somaxconn = 1024", func(*corev1.Pod) {}},
		{"user namespace", "net.core.somaxconn = 1024", func(p *corev1.Pod) { inUserNamespace(p, 1001) }},
		{"user namespace, IPC names only", "kernel.sem = 10000 1024000000 500 32000",
			func(p *corev1.Pod) { inUserNamespace(p, 1001) }},
	} {
		t.Run(form.name, func(t *testing.T) {
			pod := newPod(namespace, "web", form.sysctls)
			form.tweak(pod)
			if got := create(t, pod); got.Rejected != "" {
				t.Fatal(got.Rejected)
			}
			for document := range strings.SplitSeq(program(t, pod, "companion", "--backend=scc", "-f", "-"), "---\n") {
				var want unstructured.Unstructured
				must(t, yaml.Unmarshal([]byte(document), &want.Object))
				got, err := client.Resource(resources[want.GetKind()]).Namespace(want.GetNamespace()).Get(t.Context(),
					want.GetName(), metav1.GetOptions{})
				must(t, err)
				for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields",
					"generation", "annotations"} {
					unstructured.RemoveNestedField(got.Object, "metadata", field)
				}
				if want.GetKind() == "SecurityContextConstraints" && want.Object["userNamespaceLevel"] == nil {
					unstructured.RemoveNestedField(got.Object, "userNamespaceLevel") // the CRD's default
				}
				encoded, err := yaml.Marshal(got.Object)
				must(t, err)
				if diff := cmp.Diff(document, string(encoded)); diff != "" {
					t.Errorf("%s %s (-companion +cluster):\n%s", want.GetKind(), want.GetName(), diff)
				}
			}
		})
	}
}

// TestUseHoldsForTheServiceAccountAlone asks the authorizer as OpenShift does.
func TestUseHoldsForTheServiceAccountAlone(t *testing.T) {
	const namespace, elsewhere = "ledgers", "elsewhere"
	newNamespace(t, namespace, "restricted", "ledger", "other")
	newNamespace(t, elsewhere, "restricted", "ledger")
	if got := create(t, newPod(namespace, "ledger", "net.core.somaxconn = 1024")); got.Rejected != "" {
		t.Fatal(got.Rejected)
	}
	mayUse(t, namespace, "ledger", "sysctl-injector")
	for _, other := range []struct{ namespace, user, constraints string }{
		{namespace, "system:serviceaccount:" + namespace + ":other", "sysctl-injector"},
		{elsewhere, "system:serviceaccount:" + namespace + ":ledger", "sysctl-injector"},
		{elsewhere, "system:serviceaccount:" + elsewhere + ":ledger", "sysctl-injector"},
		{namespace, clustertest.Developer, "sysctl-injector"},
		{namespace, "system:serviceaccount:" + namespace + ":ledger", "sysctl-injector-user-namespace"},
		{namespace, "system:serviceaccount:" + namespace + ":ledger", "privileged"},
	} {
		may, err := clustertest.CanI(t.Context(), clusterOf(t), other.namespace, other.user, "use",
			"securitycontextconstraints.security.openshift.io/"+other.constraints)
		must(t, err)
		if may {
			t.Errorf("%s may use %s in namespace %s", other.user, other.constraints, other.namespace)
		}
	}
}

// TestPodsThatAreInjectedBeforehand creates pods that already contain the container. OpenShift then tries its
// constraints only once, and the app gets no user of the namespace's range. RBAC alone decides which service accounts
// may have such a pod, since the constraints have no users, no groups and no priority.
func TestPodsThatAreInjectedBeforehand(t *testing.T) {
	const namespace = "beforehand"
	newNamespace(t, namespace, "", "ledger", "other")
	pod := newPod(namespace, "ledger", "net.core.somaxconn = 1024")
	_, err := clusterOf(t).Kubectl(t.Context(), program(t, pod, "companion", "--backend=scc", "-f", "-"),
		"apply", "-f", "-")
	must(t, err)
	mayUse(t, namespace, "ledger", "sysctl-injector")
	for _, test := range []struct {
		name  string
		tweak func(*corev1.Pod)
		want  decided
	}{
		{"the user is the image's", func(*corev1.Pod) {}, as("sysctl-injector", uid(0))},
		{"the user is the stated one", func(p *corev1.Pod) { runAsUser(p, firstUID) }, as("sysctl-injector")},
		{"another service account", func(p *corev1.Pod) { p.Spec.ServiceAccountName = "other" },
			rejected(`provider "sysctl-injector": Forbidden: not usable by user or serviceaccount`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := newPod(namespace, "ledger", "net.core.somaxconn = 1024")
			test.tweak(pod)
			var injected corev1.Pod
			must(t, yaml.Unmarshal([]byte(program(t, pod, "inject", "-f", "-")), &injected))
			compare(t, test.want, create(t, &injected))
		})
	}
}

// TestServersPods lets OpenShift decide on the pods of the chart's Deployment. Their service account may use only the
// constraints that everybody may use.
func TestServersPods(t *testing.T) {
	newNamespace(t, "servers", "", installation.Name)
	admin, _ := clients(t)
	deployment, err := admin.AppsV1().Deployments(installation.Namespace).Get(t.Context(), installation.Name,
		metav1.GetOptions{})
	must(t, err)
	compare(t, as("restricted-v2"), create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "server-",
			Namespace: "servers"}, Spec: deployment.Spec.Template.Spec,
	}))
}

// mayUse waits until the authorizer knows that a service account may use constraints.
func mayUse(t *testing.T, namespace, account, constraints string) {
	t.Helper()
	clustertest.AwaitCanI(t, clusterOf(t), true, namespace, "system:serviceaccount:"+namespace+":"+account, "use",
		"securitycontextconstraints.security.openshift.io/"+constraints)
}
