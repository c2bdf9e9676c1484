package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

const page = "../../../docs/install.md"

// documented returns the nth block of shell commands below a heading of the page.
func documented(t *testing.T, heading string, nth int) string {
	t.Helper()
	content, err := os.ReadFile(page)
	must(t, err)
	_, section, found := strings.Cut(string(content), "\n"+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	if !found || len(blocks) <= nth {
		t.Fatalf("%s has %d blocks of commands below %q", page, len(blocks), heading)
	}
	return blocks[nth][1]
}

// shell runs commands as a person would, at the top of the checkout.
func shell(t *testing.T, c *cluster.Cluster, commands string) {
	t.Helper()
	cmd := c.Command(t.Context(), "sh", "-euc", commands)
	cmd.Dir = "../../.."
	cmd.Env = append(cmd.Environ(), "CHART=deploy/helm/sysctl-injector",
		"PATH="+strings.Join([]string{c.Binaries().Dir, filepath.Dir(findHelm(t)), os.Getenv("PATH")},
			string(os.PathListSeparator)))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, output)
	}
}

// left lists the objects of an installation: those with its label or with its name.
func left(t *testing.T, c *cluster.Cluster) (all []string) {
	t.Helper()
	reader, err := client.New(c.RESTConfig(), client.Options{})
	must(t, err)
	for _, kind := range []schema.GroupVersionKind{
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "MutatingWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicy"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"},
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"},
		{Group: "sysctl-injector.dev", Version: "v1alpha1", Kind: "SysctlPolicy"},
		{Group: "sysctl-injector.dev", Version: "v1alpha1", Kind: "SysctlProfile"},
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		err := reader.List(t.Context(), list, client.MatchingLabels{"app.kubernetes.io/name": release})
		if err != nil && !meta.IsNoMatchError(err) {
			t.Fatal(err)
		}
		for _, object := range list.Items {
			all = append(all, kind.Kind+" "+object.GetName())
		}
	}
	return all
}

// kept are the objects that an administrator may have changed.
var kept = []string{
	"SysctlPolicy default", "SysctlProfile cassandra", "SysctlProfile elasticsearch", "SysctlProfile envoy",
	"SysctlProfile haproxy", "SysctlProfile kafka", "SysctlProfile milvus", "SysctlProfile mongodb",
	"SysctlProfile nginx",
	"SysctlProfile opensearch", "SysctlProfile postgresql", "SysctlProfile rabbitmq", "SysctlProfile redis",
}

// The page's commands, one after another on one cluster. No server runs there: the test looks only at the objects in
// the API server.
func TestDocumentedCommands(t *testing.T) {
	clustertest.Require(t)
	findHelm(t)
	c := clustertest.Start(t, cluster.Config{})
	// Without cert-manager, helm says what to do. Without a cluster to ask, it renders.
	cmd := c.Command(t.Context(), findHelm(t), "install", release, chart, "--namespace", namespace,
		"--create-namespace")
	remedy := "cert-manager is not installed: install it first (https://cert-manager.io/docs/installation/helm), or " +
		"add --set certificates.source=self-managed"
	if output, err := cmd.CombinedOutput(); err == nil ||
		!strings.HasSuffix(strings.TrimSpace(string(output)), remedy) {
		t.Errorf("helm install without cert-manager: %v, and it says\n%s", err, output)
	}
	cmd = c.Command(t.Context(), findHelm(t), "template", release, chart, "--namespace", namespace)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("helm template without cert-manager: %v\n%s", err, output)
	}
	must(t, defineCertManager(t.Context(), c))
	// There is no node, and so no server to wait for.
	install := strings.ReplaceAll(documented(t, "## Without cert-manager", 0), " --wait", "")
	uninstall := strings.ReplaceAll(documented(t, "## Uninstall", 1)+documented(t, "## Uninstall", 2), "helm uninstall",
		"helm uninstall --no-hooks")

	shell(t, c, install)
	installed := left(t, c)
	for _, want := range append([]string{"MutatingWebhookConfiguration sysctl-injector",
		"ValidatingAdmissionPolicyBinding sysctl-injector-exec"}, kept...) {
		if !slices.Contains(installed, want) {
			t.Errorf("there is no %s", want)
		}
	}
	shell(t, c, strings.ReplaceAll(documented(t, "## Upgrade", 0)+documented(t, "## Upgrade", 1),
		" --wait -f values.yaml", ""))
	shell(t, c, uninstall)
	if diff := cmp.Diff(kept, left(t, c)); diff != "" {
		t.Errorf("left by helm uninstall (-want +got):\n%s", diff)
	}
	// Helm and kubectl can both install over the kept objects.
	shell(t, c, install)
	if diff := cmp.Diff(installed, left(t, c)); diff != "" {
		t.Errorf("installed again (-before +after):\n%s", diff)
	}
	shell(t, c, uninstall+documented(t, "## Uninstall", 3))
	if got := left(t, c); got != nil {
		t.Errorf("left: %v", got)
	}

	shell(t, c, documented(t, "## Without Helm", 0))
	if got := left(t, c); !slices.Contains(got, "MutatingWebhookConfiguration sysctl-injector") ||
		!slices.Contains(got, "SysctlPolicy default") {
		t.Errorf("the manifest installs %v", got)
	}
	shell(t, c, documented(t, "## Uninstall", 4))
	if diff := cmp.Diff(kept, left(t, c)); diff != "" {
		t.Errorf("left of the manifest (-want +got):\n%s", diff)
	}
}
