package grants_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// With --grants=require the server grants nothing: its rejection contains the command that an administrator runs.
func TestRequire(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t, "web")
	s.restart(t, "--grants=require")
	log := newAudit(t)
	pod := newPod(namespace, "web", "net.core.somaxconn", "kernel.sem = 250 32000 100 128")
	command := "sysctl-injector companion -n " + namespace +
		" --serviceaccount web kernel.sem net.core.somaxconn | kubectl apply -f -"
	rejects(t, pod, `NotGranted: service account "web" in namespace "`+namespace+`" may not use kernel.sem, `+
		`net.core.somaxconn; an administrator can run: `+command)
	rejects(t, newPod(namespace, "web", "net.core.somaxconn"),
		`NotGranted: service account "web" in namespace "`+namespace+`" may not use net.core.somaxconn; `+
			`an administrator can run: sysctl-injector companion -n `+namespace+` --serviceaccount web `+
			`net.core.somaxconn | kubectl apply -f -`)

	output := shell(t, command)
	if want := strings.Join([]string{
		"clusterrole.rbac.authorization.k8s.io/sysctl-injector:kernel.sem created",
		"clusterrole.rbac.authorization.k8s.io/sysctl-injector:net.core.somaxconn created",
		"rolebinding.rbac.authorization.k8s.io/sysctl-injector:kernel.sem:web created",
		"rolebinding.rbac.authorization.k8s.io/sysctl-injector:net.core.somaxconn:web created",
	}, "\n") + "\n"; output != want {
		t.Errorf("the command says\n%s\nwant\n%s", output, want)
	}
	eventually(t, "the authorizer to know", func(context.Context) (bool, error) {
		return mayUse(t, namespace, "web", "net.core.somaxconn") && mayUse(t, namespace, "web", "kernel.sem"), nil
	})
	create(t, pod)
	// Only what is missing is named.
	rejects(t, newPod(namespace, "web", "net.core.somaxconn", "net.ipv4.tcp_fin_timeout"),
		`NotGranted: service account "web" in namespace "`+namespace+`" may not use net.ipv4.tcp_fin_timeout; `+
			`an administrator can run: sysctl-injector companion -n `+namespace+` --serviceaccount web `+
			`net.ipv4.tcp_fin_timeout | kubectl apply -f -`)
	if writes := log.writes(t, installation.Name); len(writes) > 0 {
		t.Errorf("the server writes: %v", writes)
	}
}

// shell runs a command line as an administrator would, with the program and kubectl in the path.
func shell(t *testing.T, line string) string {
	t.Helper()
	c := suite.Cluster(t)
	cmd := c.Command(t.Context(), "sh", "-c", line)
	cmd.Env = append(cmd.Environ(), "PATH="+strings.Join([]string{filepath.Dir(program), c.Binaries().Dir,
		os.Getenv("PATH")}, string(os.PathListSeparator)))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", line, err, &stderr)
	}
	return string(output)
}
