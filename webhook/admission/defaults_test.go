package admission

import (
	"cmp"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Where profiles may apply by default, a pod that asks for nothing is decided by its namespace's labels. Elsewhere
// nothing is read for it, so that nothing can go wrong.
func TestPodsOfNamespacesWithDefaults(t *testing.T) {
	const injects, unavailable = `"path":"/spec/initContainers"`,
		`ClusterUnavailable: read namespace "shop": connection refused`
	for _, test := range []struct {
		name, path    string
		pod           string // the plain one if empty
		label         string // of the namespace, for defaults
		err           error  // of the cluster
		patch, denied string
	}{
		{name: "a profile applies", path: DefaultsPath, label: v1alpha1.DefaultsEnabled, patch: injects},
		{name: "the label is gone again", path: DefaultsPath},
		{name: "the namespace cannot be read", path: DefaultsPath, err: errors.New("connection refused"),
			denied: unavailable},
		{name: "the namespace of a pod without defaults cannot be read", path: MutatePath,
			err: errors.New("connection refused")},
		{name: "nor can that of a pod that has opted out", path: DefaultsPath, err: errors.New("connection refused"),
			pod: optedOutPod},
		{name: "nor can that of a pod that asks and has opted out", path: MutatePath,
			err: errors.New("connection refused"), pod: optedOutPod},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			profile, errs := policy.CompileProfile(&v1alpha1.SysctlProfile{
				ObjectMeta: metav1.ObjectMeta{Name: "base"},
				Spec: v1alpha1.SysctlProfileSpec{Sysctls: "net.core.somaxconn = 1024",
					AppliesTo: &v1alpha1.AppliesTo{}},
			})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			allowed, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{
				Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.*"}}}},
			})
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			f.cluster.rules = policy.NewSet([]*policy.Policy{allowed}, []*policy.Profile{profile})
			f.cluster.labels[v1alpha1.DefaultsLabel], f.cluster.err = test.label, test.err
			request := httptest.NewRequest(http.MethodPost, test.path+"?timeout=5s",
				strings.NewReader(reviewOf(cmp.Or(test.pod, plainPod))))
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			f.handler.ServeHTTP(answer, request)
			response := decode(t, answer)
			if response.Allowed != (test.denied == "") || !response.Allowed && response.Result.Message != test.denied {
				t.Errorf("got %+v, want %q", response, test.denied)
			}
			if patch := string(response.Patch); !strings.Contains(patch, test.patch) || test.patch == "" &&
				patch != "" {
				t.Errorf("patch %s, want %q", patch, test.patch)
			}
		})
	}
}
