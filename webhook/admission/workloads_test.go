package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
)

// workloadReviewOf is a review as the API server sends it, of a workload.
func workloadReviewOf(group, kind, object string) string {
	return fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{
"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","kind":{"group":%q,"version":"v1","kind":%q},
"name":"web","namespace":"shop","operation":"UPDATE","object":%s,"oldObject":{}}}`, group, kind, object)
}

func (f *fixture) postWorkload(body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, WorkloadsPath+"?timeout=1s", bytes.NewBufferString(body))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	f.handler.Workloads().ServeHTTP(answer, request)
	return answer
}

// Every workload is admitted as it is. The decision on its pods comes as warnings.
func TestWorkloadsGetWarnings(t *testing.T) {
	const (
		asks = `{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"%s"}},` +
			`"spec":{%s"containers":[{"name":"web"}]}}`
		rejects = "the pods of this workload will be rejected: "
		invalid = "spec.template.metadata.annotations[sysctl-injector.dev/sysctls]: "
	)
	template := func(sysctls, spec string) string {
		return fmt.Sprintf(`{"spec":{"template":`+asks+`}}`,
			sysctls, spec)
	}
	for _, test := range []struct {
		name, group, kind, object string
		want                      []string
	}{
		{"nothing about a workload that is in order", "apps", "Deployment",
			template("net.core.somaxconn = 4096", ""), nil},
		{"that its pods will be rejected", "apps", "StatefulSet", template("vm.swappiness = 1", ""),
			[]string{rejects + "NodeLevel: " + invalid +
				"Forbidden: line 1: vm.swappiness is node-level: it would change the node and every pod on it. An " +
				"administrator can set it on the node, or the pod can run under a RuntimeClass that gives it " +
				"a kernel of its own (Kata Containers, for one)"}},
		{"every reason", "apps", "DaemonSet", template("net.core.somaxconn = 4096",
			`"hostNetwork":true,"securityContext":{"sysctls":[{"name":"net.core.somaxconn","value":"1"}]},`),
			[]string{rejects + "HostNetwork: " + invalid +
				"Forbidden: line 1: net.core.somaxconn would change the node: the pod shares the node's network " +
				"namespace (hostNetwork: true); remove hostNetwork, or the sysctl",
				rejects + "NativeConflict: " + invalid +
					`Invalid value: "net.core.somaxconn=4096": spec.securityContext.sysctls sets net.core.somaxconn ` +
					`to "1"; remove one of the two`,
				"spec.template.spec.securityContext.sysctls: kubelets reject net.core.somaxconn, which is not a safe " +
					"sysctl, unless --allowed-unsafe-sysctls has it"}},
		{"nothing about a guest kernel", "apps", "ReplicaSet",
			template("vm.swappiness = 1", `"runtimeClassName":"vm",`), nil},
		{"a key on the wrong metadata", "batch", "CronJob",
			`{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"a = 1"}},` +
				`"spec":{"jobTemplate":{"spec":{"template":{"spec":{}}}}}}`,
			[]string{"MisplacedKey: metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: this is a key of " +
				"spec.jobTemplate.spec.template.metadata.annotations; move it there"}},
		{"a misspelled prefix", "batch", "Job",
			`{"spec":{"template":{"metadata":{"annotations":{"sysctl-injector.io/sysctls":"a = 1"}},"spec":{}}}}`,
			[]string{"UnknownKey: spec.template.metadata.annotations[sysctl-injector.io/sysctls]: Forbidden: no such " +
				"key; did you mean spec.template.metadata.annotations[sysctl-injector.dev/sysctls]?"}},
		{"a later container that sets it again", "apps", "Deployment",
			template("net.core.somaxconn = 4096",
				`"initContainers":[{"name":"tune","securityContext":{"privileged":true},`+
					`"command":["sysctl","-w","net.core.somaxconn=8"]}],`),
			[]string{`init container "tune" runs later and sets net.core.somaxconn = 8, in the place of the ` +
				`annotation's value; remove one of the two`}},
		{"pods that cannot be read", "apps", "Deployment",
			`{"spec":{"template":{"metadata":{"annotations":7},"spec":{}}}}`,
			[]string{"the pods of this workload cannot be read: metadata.annotations must be an object, not a number"}},
		{"nothing about an object without a template", "apps", "Deployment", `{"spec":{}}`, nil},
	} {
		t.Run("says "+test.name, func(t *testing.T) {
			f := newFixture(t)
			response := decode(t, f.postWorkload(workloadReviewOf(test.group, test.kind, test.object)))
			if !response.Allowed || response.Patch != nil {
				t.Errorf("allowed %t, patch %s", response.Allowed, response.Patch)
			}
			var got []string
			got = append(got, response.Warnings...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			for reason, count := range f.counted(t) {
				if count != 0 {
					t.Errorf("counted among the decisions on pods: %s", reason)
				}
			}
		})
	}
}

// A native sysctl that is declared allowed on all kubelets is not warned of.
func TestWorkloadsWithDeclaredSysctls(t *testing.T) {
	f := newFixture(t)
	injector, err := injection.New(injection.Config{KubeletSysctls: []string{"net.core.*"}})
	if err != nil {
		t.Fatal(err)
	}
	f.handler.Injector = injector
	response := decode(t, f.postWorkload(workloadReviewOf("apps", "Deployment",
		`{"spec":{"template":{"spec":{"securityContext":{"sysctls":[`+
			`{"name":"net.core.somaxconn","value":"8"},{"name":"kernel.sem","value":"1 2 3 4"}]}}}}}`)))
	want := []string{"spec.template.spec.securityContext.sysctls: kubelets reject kernel.sem, which is not a safe " +
		"sysctl, unless --allowed-unsafe-sysctls has it"}
	if diff := cmp.Diff(want, response.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// Kubelets may be older than the API servers. A name that only newer ones count as safe is warned of.
func TestWorkloadsWithSysctlsThatOlderKubeletsReject(t *testing.T) {
	const object = `{"spec":{"template":{"spec":{"securityContext":{"sysctls":[` +
		`{"name":"net.ipv4.tcp_syncookies","value":"1"},{"name":"net/ipv4/tcp_rmem","value":"1 2 3"},` +
		`{"name":"kernel.sem","value":"1 2 3 4"}]}}}}}`
	const path = "spec.template.spec.securityContext.sysctls: "
	const always = path + "kubelets reject kernel.sem, which is not a safe sysctl, unless --allowed-unsafe-sysctls " +
		"has it"
	for minor, want := range map[uint][]string{
		34: {always, path + "older kubelets reject net.ipv4.tcp_rmem (safe since Kubernetes 1.32), unless " +
			"--allowed-unsafe-sysctls has it"},
		35: {always},
		0:  {always}, // the version is unknown
	} {
		f := newFixture(t)
		injector, err := injection.New(injection.Config{Kubernetes: func() uint { return minor }})
		if err != nil {
			t.Fatal(err)
		}
		f.handler.Injector = injector
		response := decode(t, f.postWorkload(workloadReviewOf("apps", "Deployment", object)))
		if diff := cmp.Diff(want, response.Warnings); diff != "" {
			t.Errorf("Kubernetes 1.%d (-want +got):\n%s", minor, diff)
		}
	}
}

// A forged review can have an object of any kind. The work for it is limited.
func TestWorkOnForgedWorkloadsIsLimited(t *testing.T) {
	const most = 64 << 20 // bytes that are allocated, since time depends on the machine
	several := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for _, test := range []struct {
		name, kind, object string
		status             int
	}{
		{"many templates in an object of another kind", "Rollout",
			`{"spec":[` + several(2000, `{"spec":{"containers":[{"name":"a%d"}]}},`) + `]}`, http.StatusBadRequest},
		{"many keys in the wrong place", "Deployment",
			`{"metadata":{"annotations":{` + several(9000, `"sysctl-injector.dev/sysctls%d":"a",`) +
				`}},"spec":{"template":{"spec":{}}}}`, http.StatusOK},
		{"many misspelled keys", "Deployment",
			`{"metadata":{"annotations":{` + several(9000, `"sysctl-injector.de/a%d":"a",`) +
				`}},"spec":{"template":{"spec":{}}}}`, http.StatusOK},
		{"deep nesting", "Deployment", `{"spec":{"template":{"spec":{}}},"a":` + several(5000, `{"a%d":`) + "1" +
			strings.Repeat("}", 5001), http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so the time limit of the answer does not matter
				f := newFixture(t)
				body := workloadReviewOf("apps", test.kind, test.object)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				answer := f.postWorkload(body)
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > most {
					t.Errorf("%d MiB are allocated for %d KiB", got>>20, len(body)>>10)
				}
				if answer.Code != test.status {
					t.Errorf("status %d: %.200s", answer.Code, answer.Body)
				}
			})
		})
	}
}

// Whatever cannot be answered is left to the entry's failurePolicy, which is Ignore.
func TestWorkloadsThatCannotBeAnswered(t *testing.T) {
	f := newFixture(t)
	for _, body := range []string{``, `{}`, `[]`,
		`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1"}}`} {
		if answer := f.postWorkload(body); answer.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d, %s", body, answer.Code, answer.Body)
		}
	}
	f.cluster.panics = true
	object, err := json.Marshal(json.RawMessage(
		`{"spec":{"template":{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"a.b = 1"}},"spec":{}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if answer := f.postWorkload(workloadReviewOf("apps", "Deployment",
		string(object))); answer.Code != http.StatusInternalServerError {
		t.Errorf("status %d, %s", answer.Code, answer.Body)
	}
}
