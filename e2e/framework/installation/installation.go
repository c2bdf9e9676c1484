// Package installation installs sysctl-injector on a test cluster as a person would: the real program under a service
// account of its own, with the ClusterRole and the webhook configuration that the project ships.
package installation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Names of what is installed.
const (
	Namespace = "sysctl-injector-system"
	Name      = "sysctl-injector" // of the service account, the service and the webhook configuration
	// User is the server's user name at the API server.
	User = "system:serviceaccount:" + Namespace + ":" + Name
	// Version is the version that the program reports.
	Version = "v0.0.0-e2e"
)

// leaderElection is the name of the Role for leader election.
const leaderElection = Name + "-leader-election"

// Config says what is installed.
type Config struct {
	// Objects are further objects in YAML: policies, for one.
	Objects []byte
	// Args are further flags of `sysctl-injector serve`.
	Args []string
}

// Installation is sysctl-injector on a cluster.
type Installation struct {
	// Program is the path of the program.
	Program string

	cluster *cluster.Cluster
	client  *kubernetes.Clientset
	dir     string
	args    []string // of every server

	mu      sync.Mutex
	servers []*Server
	called  *Server
}

// Install builds the program, starts a server, and returns when the API server calls it.
func Install(ctx context.Context, c *cluster.Cluster, config Config) (*Installation, error) {
	dir, err := c.MkdirTemp("installation")
	if err != nil {
		return nil, err
	}
	i := &Installation{cluster: c, dir: dir, Program: filepath.Join(dir, Name)}
	if err := i.install(ctx, config); err != nil {
		return nil, errors.Join(err, i.Remove())
	}
	return i, nil
}

func (i *Installation) install(ctx context.Context, config Config) (err error) {
	if i.client, err = kubernetes.NewForConfig(i.cluster.RESTConfig()); err != nil {
		return err
	}
	if err := Build(ctx, i.Program); err != nil {
		return err
	}
	if err := Apply(ctx, i.cluster, config.Objects); err != nil {
		return err
	}
	certificate, err := i.cluster.ServingCertificate(Name + "." + Namespace + ".svc")
	if err != nil {
		return err
	}
	if err := i.prepare(ctx, config, certificate); err != nil {
		return err
	}
	if err := clustertest.SettlePolicies(ctx, i.client); err != nil {
		return err
	}
	server, err := i.Start(ctx)
	if err != nil {
		return err
	}
	if err := i.configure(ctx, server, certificate.CA); err != nil {
		return err
	}
	return i.untilCalled(ctx)
}

// Apply applies everything except the webhook configuration, and further objects in YAML. It starts no server. The
// server's rights are the shipped ones.
func Apply(ctx context.Context, c *cluster.Cluster, further []byte) error {
	labels := map[string]string{"app.kubernetes.io/name": Name}
	account := metav1.ObjectMeta{Name: Name, Namespace: Namespace, Labels: labels}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: Namespace, Name: Name}}
	own, err := encode(
		&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: Namespace, Labels: labels}},
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: account},
		&rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: Name},
			Subjects:   subjects,
		},
		&rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: leaderElection, Namespace: Namespace, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: leaderElection},
			Subjects:   subjects,
		},
	)
	if err != nil {
		return err
	}
	definitions, err := shipped(templates.CRDs)
	if err != nil {
		return err
	}
	objects, err := shipped(templates.Install, templates.Policies, templates.Profiles)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		input []byte
		args  []string
	}{
		{append(own, definitions...), []string{"apply", "-f", "-"}},
		{nil, []string{"wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout=30s"}},
		{append(objects, further...), []string{"apply", "-f", "-"}},
	} {
		cmd := c.Command(ctx, "kubectl", step.args...)
		cmd.Stdin = bytes.NewReader(step.input)
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(step.args, " "), err, output)
		}
	}
	return nil
}

// webhookFile and warningsFile are applied last, once there is a server to call.
const (
	webhookFile  = "install/webhook.yaml"
	warningsFile = "install/warnings.yaml"
)

// shipped returns the objects of the project's own files.
func shipped(trees ...fs.FS) ([]byte, error) {
	var all []byte
	for _, tree := range trees {
		err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path == webhookFile || path == warningsFile {
				return err
			}
			content, err := fs.ReadFile(tree, path)
			all = append(append(all, "\n---\n"...), content...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return append(all, "\n---\n"...), nil
}

func encode(objects ...any) ([]byte, error) {
	var all []byte
	for _, object := range objects {
		encoded, err := yaml.Marshal(object)
		if err != nil {
			return nil, err
		}
		all = append(append(all, encoded...), "---\n"...)
	}
	return all, nil
}

// prepare writes the files that a server reads, and sets its flags.
func (i *Installation) prepare(ctx context.Context, config Config, certificate cluster.ServingCertificate) error {
	kubeconfig, err := i.kubeconfig(ctx)
	if err != nil {
		return err
	}
	files := map[string][]byte{"kubeconfig": kubeconfig, "tls.crt": certificate.Cert, "tls.key": certificate.Key}
	i.args = []string{
		"serve",
		"--kubeconfig=" + filepath.Join(i.dir, "kubeconfig"),
		"--tls-cert-file=" + filepath.Join(i.dir, "tls.crt"),
		"--tls-private-key-file=" + filepath.Join(i.dir, "tls.key"),
		"--namespace=" + Namespace,
		"--shutdown-delay=1s",
	}
	i.args = append(i.args, config.Args...)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(i.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Args are the flags by which a server is started, but for its addresses.
func (i *Installation) Args() []string { return slices.Clone(i.args) }

// Server returns the server that the API server calls.
func (i *Installation) Server() *Server {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.called
}

func (i *Installation) call(server *Server) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.called = server
}

// Log is what the servers have logged so far, the oldest first.
func (i *Installation) Log() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all strings.Builder
	for _, server := range i.servers {
		all.WriteString(server.log.String())
	}
	return all.String()
}

// Remove ends the servers and removes their files. The cluster keeps what was installed there.
func (i *Installation) Remove() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, server := range i.servers {
		server.Kill()
	}
	return os.RemoveAll(i.dir)
}
