package install_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/docs/reader"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// These tests come last in the suite, by the name of this file: the pages create objects that the other tests do not
// expect.

// The page leads from nothing to the first injected pod, with every command as it is printed.
func TestGettingStarted(t *testing.T) {
	uninstalled(t)
	defer cleanUp(t)
	runPage(t, "docs/getting-started.md")
}

// The README's commands install the chart with the image in a private registry.
func TestReadme(t *testing.T) {
	uninstalled(t)
	certManager.start(t)
	defer cleanUp(t)
	const own = "registry.example.com/sysctl-injector:" + released
	tag := suite.Cluster(t).NodeCommand(t.Context(), "ctr", "--namespace=k8s.io", "images", "tag", "--force",
		repository+":"+released, own)
	if output, err := tag.CombinedOutput(); err != nil {
		t.Fatalf("tag the image: %v\n%s", err, output)
	}
	runPage(t, "README.md")
	for _, server := range servers(t, system) {
		if image := server.Spec.Containers[0].Image; image != own {
			t.Errorf("a server has the image %s, want %s", image, own)
		}
	}
}

// The pages about installing lead from one installation to the next.
func TestInstallPages(t *testing.T) {
	uninstalled(t)
	certManager.start(t)
	defer cleanUp(t)
	kubectl(t, "delete", "namespaces", system, "load", "apps", "--ignore-not-found")
	for _, page := range reader.RunBy(reader.TestInstallPages) {
		t.Run(page.Path, func(t *testing.T) { runPage(t, page.Path) })
	}
}

// The commands of all other pages run with the webhook installed.
func TestPages(t *testing.T) {
	uninstalled(t)
	certManager.start(t)
	defer cleanUp(t)
	kubectl(t, "delete", "namespaces", "load", "apps", "--ignore-not-found")
	makeNamespace(t, system, nil)
	helm(t, "install", program, chart, "--namespace", system, "--take-ownership", "--wait")
	for _, page := range reader.RunBy(reader.TestPages) {
		t.Run(page.Path, func(t *testing.T) {
			defer removeNamespaces(t)
			runPage(t, page.Path)
		})
	}
}

// removeNamespaces deletes the namespaces of the pages, and their pods without a grace period.
func removeNamespaces(t *testing.T) {
	t.Helper()
	for _, namespace := range []string{"shop", "sugi"} {
		kubectl(t, "delete", "deployments,daemonsets,pods", "--all", "-n", namespace, "--force", "--grace-period=0",
			"--ignore-not-found")
		kubectl(t, "delete", "namespace", namespace, "--ignore-not-found")
	}
	kubectl(t, "delete", "deployment", "web", "-n", "default", "--ignore-not-found")
}

// cleanUp removes the objects that the pages create.
func cleanUp(t *testing.T) {
	t.Helper()
	removeNamespaces(t)
	uninstalled(t)
	// The certificate that the servers made for themselves is not one that cert-manager's CA has signed.
	kubectl(t, "delete", "secrets", "-n", system, program+"-tls", program+"-ca", "--ignore-not-found")
}

// runPage runs the commands of a page with the programs and files that an administrator has.
func runPage(t *testing.T, path string) {
	t.Helper()
	page, found := reader.Find(path)
	if !found {
		t.Fatalf("docs/reader has no page %s", path)
	}
	c := suite.Cluster(t)
	defer keepLogs(t)
	home := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(home, ".kube"), 0o700))
	must(t, os.Symlink(c.Kubeconfig(), filepath.Join(home, ".kube", "config")))
	certificate, err := c.ServingCertificate(program + "." + system + ".svc")
	must(t, err)
	page.Files = withCertificate(page.Files, certificate)
	reader.Reader{
		Checkout: root,
		Path:     []string{dir, filepath.Dir(helmPath), c.Binaries().Dir},
		// Go's caches are in the home directory of the user who runs the tests.
		Environment: append(goCaches(t), "HOME="+home),
		Command:     c.Command,
	}.Run(t, page)
}

// withCertificate adds the files of a certificate that an administrator brings.
func withCertificate(files map[string]any, certificate cluster.ServingCertificate) map[string]any {
	all := map[string]any{
		"tls.crt": string(certificate.Cert), "tls.key": string(certificate.Key), "ca.crt": string(certificate.CA),
	}
	maps.Copy(all, files)
	return all
}

// goCaches are the variables by which go finds its caches from another home directory.
func goCaches(t *testing.T) (environment []string) {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH"}
	output, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	must(t, err)
	for i, value := range strings.Fields(string(output)) {
		environment = append(environment, names[i]+"="+value)
	}
	return environment
}
