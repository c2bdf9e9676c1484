package app

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// applies are the objects that a server applies, as YAML.
type applies struct {
	mu        sync.Mutex
	documents map[string]bool
}

// newGranter returns a server's granter, in a cluster without any grants in which every service account exists.
func newGranter(t *testing.T, backend grants.Backend) (*grants.Granter, *applies) {
	t.Helper()
	applied := &applies{documents: map[string]bool{}}
	cluster := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object,
			_ ...client.GetOption) error {
			if _, isAccount := object.(*metav1.PartialObjectMetadata); isAccount {
				return nil
			}
			return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			object.(*authorizationv1.SubjectAccessReview).Status.Allowed = true
			return nil
		},
		Apply: func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration,
			_ ...client.ApplyOption) error {
			content, err := yaml.Marshal(object)
			applied.mu.Lock()
			defer applied.mu.Unlock()
			applied.documents[string(content)] = true
			return err
		},
	}).Build()
	granter, err := grants.New(grants.Config{
		Backend: backend, Client: cluster, Reader: cluster, Limits: grants.DefaultLimits(),
		Metrics: grants.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return granter, applied
}

func TestCompanionPrintsWhatTheServerAppliesByteForByte(t *testing.T) {
	for _, backend := range grants.Backends() {
		compared := 0
		for _, path := range slices.Concat(filesOf(t, "testdata/inject"),
			[]string{"testdata/companion/native-and-injected.yaml"}) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			code, out, _ := run(t, "", "companion", "-n", "shop", "-f", path, "--backend", backend)
			// The server leaves pods alone that ask for nothing. A file that is rejected is no matter of grants.
			if code != 0 || !strings.Contains(string(content), "sysctl-injector.dev/") {
				continue
			}
			t.Run(backend+"/"+filepath.Base(path), func(t *testing.T) {
				granter, applied := newGranter(t, grants.Backend(backend))
				for _, template := range templatesOf(t, content) {
					admit(t, content, template, granter)
				}
				var printed []string
				if out != "" {
					printed = strings.Split(out, "---\n")
				}
				slices.Sort(printed)
				if diff := cmp.Diff(printed, slices.Sorted(maps.Keys(applied.documents))); diff != "" {
					t.Errorf("objects (-companion +server):\n%s", diff)
				}
				compared += len(printed)
			})
		}
		if compared < 10 {
			t.Errorf("%s: only %d objects are compared", backend, compared)
		}
	}
}

func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s: %v", len(files), dir, err)
	}
	return files
}

// The pod's own containers keep what OpenShift gave them before, as far as constraints can provide it. The user is
// what they cannot.
func TestCompanionKeepsTheGroupAndTheLevelOfANamespaceOnOpenShift(t *testing.T) {
	code, out, errOut := run(t, "", "companion", "--backend", "scc", "-f", "testdata/companion/uid-range.yaml")
	const want = "Warning: testdata/companion/uid-range.yaml: line 2: StatefulSet \"accounts\": net.core.somaxconn: " +
		"1024 is below 4096, with which a pod starts since Linux 5.4; write \"net.core.somaxconn >= 1024\" to raise " +
		"the value only\n" +
		"Warning: StatefulSet \"accounts\": containers without runAsUser: \"accounts\". If the pod is " +
		"created with the init container already in it (as by `sysctl-injector inject`), OpenShift gives them no UID " +
		"of the namespace's range: they run as the user of their image, which may be root. State runAsUser, of that " +
		"range, and runAsNonRoot: true\n"
	if code != 0 || errOut != want {
		t.Errorf("exit code %d, standard error %q, want %q", code, errOut, want)
	}
	for _, field := range []string{"fsGroup:\n  type: MustRunAs\n", "seLinuxContext:\n  type: MustRunAs\n",
		"runAsUser:\n  type: RunAsAny\n"} {
		if !strings.Contains(out, field) {
			t.Errorf("the constraints have no %q:\n%s", field, out)
		}
	}
}

func TestCompanionForUserNamespacesOnOpenShift(t *testing.T) {
	const needsKernel = "Warning: testdata/inject/user-namespace-ipc.yaml: line 2: Pod \"queue\": fs.mqueue.msg_max: " +
		"root of a user namespace (hostUsers: false) can set it from Linux 6.9 on; on a node with an older kernel the " +
		"pod will not start\n"
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		errOut string
		kinds  int // of objects
	}{
		{"a pod that sets IPC names only",
			[]string{"--backend", "scc", "-f", "testdata/inject/user-namespace-ipc.yaml"}, 0,
			needsKernel + "Warning: Pod \"queue\": containers without runAsUser: \"queue\". " +
				"OpenShift tries restricted-v2 first, which gives them a UID of the namespace's range; a user " +
				"namespace does not have that UID. State runAsUser between 1000 and 65534\n", 5},
		{"the same elsewhere: no constraints", []string{"-f", "testdata/inject/user-namespace-ipc.yaml"}, 0,
			needsKernel, 2},
		{"a service account without names: the constraints alone",
			[]string{"--backend", "scc", "--serviceaccount", "queue", "--user-namespace"}, 0, "", 3},
		{"with a name, two objects more", []string{"--backend", "scc", "--serviceaccount", "web",
			"--user-namespace", "net.core.somaxconn"}, 0, "", 5},
		{"is a matter of OpenShift", []string{"--serviceaccount", "web", "--user-namespace", "net.core.somaxconn"}, 2,
			"error: --user-namespace is for --backend scc\nSee 'sysctl-injector companion --help'.\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, "", append([]string{"companion"}, test.args...)...)
			if code != test.code || errOut != test.errOut || strings.Count(out, "\nkind: ") != test.kinds ||
				strings.Contains(out, "allowPrivilegedContainer: true") {
				t.Errorf("exit code %d, standard error %q, want %q; %d objects:\n%s", code, errOut, test.errOut,
					strings.Count(out, "\nkind: "), out)
			}
		})
	}
}

func TestCompanionOnOpenShiftSaysWhatAdmitsVerification(t *testing.T) {
	code, out, errOut := run(t, "", "companion", "--backend", "scc", "-f", "testdata/inject/verify.yaml")
	if code != 0 || out != "" || !strings.Contains(errOut,
		"(oc adm policy add-scc-to-user nonroot-v2 -z default -n default)") ||
		!strings.HasSuffix(errOut, "Nothing to grant for Pod \"search\": the init container only reads.\n") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}
