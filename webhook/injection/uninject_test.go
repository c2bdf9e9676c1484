package injection

import (
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
)

func TestUninject(t *testing.T) {
	for _, tt := range []struct {
		name, pod, want string
		secrets         []string
		removed         []string
	}{
		{
			name: "leaves alone what was not injected",
			pod: `{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"kernel.sem = 1 2 3 4"},"labels":{}},` +
				`"spec":{"initContainers":[]}}`,
			want: `{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"kernel.sem = 1 2 3 4"},"labels":{}},` +
				`"spec":{"initContainers":[]}}`,
		},
		{
			name: "removes the maps and lists that hold nothing else",
			pod: `{"metadata":{"annotations":{"sysctl-injector.dev/status":"{}"},` +
				`"labels":{"sysctl-injector.dev/injected":"true"}},` +
				`"spec":{"initContainers":[{"name":"sysctl-injector"}],"containers":[]}}`,
			want:    `{"metadata":{},"spec":{"containers":[]}}`,
			removed: []string{"the label", "the status annotation", "the init container"},
		},
		{
			name: "keeps the others, wherever the container is",
			pod: `{"metadata":{"annotations":{"a":"b","sysctl-injector.dev/status":"{}"},` +
				`"labels":{"c":"d","sysctl-injector.dev/injected":"true"}},` +
				`"spec":{"initContainers":[{"name":"sysctl-injector"},{"name":"wait"},` +
				`{"name":"sysctl-injector","volumeMounts":[{"name":"token"}]}],` +
				`"containers":[{"name":"sysctl-injector"}]}}`,
			want: `{"metadata":{"annotations":{"a":"b"},"labels":{"c":"d"}},` +
				`"spec":{"initContainers":[{"name":"wait"}],"containers":[{"name":"sysctl-injector"}]}}`,
			removed: []string{"the label", "the status annotation", "the init container"},
		},
		{
			name: "removes the native sysctls that the status names",
			pod: `{"metadata":{"annotations":{` +
				`"sysctl-injector.dev/status":"{\"native\":[\"net.ipv4.tcp_syncookies=1\"]}"}},` +
				`"spec":{"securityContext":{"sysctls":[{"name":"kernel.shm_rmid_forced","value":"1"},` +
				`{"name":"net.ipv4.tcp_syncookies","value":"1"}]}}}`,
			want: `{"metadata":{},` +
				`"spec":{"securityContext":{"sysctls":[{"name":"kernel.shm_rmid_forced","value":"1"}]}}}`,
			removed: []string{"the status annotation", "the native sysctls"},
		},
		{
			name: "removes a security context that holds nothing else",
			pod: `{"metadata":{"annotations":{` +
				`"sysctl-injector.dev/status":"{\"native\":[\"net.ipv4.tcp_syncookies=1\"]}"}},` +
				`"spec":{"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_syncookies","value":"1"}]},` +
				`"imagePullSecrets":[{"name":"own"},{"name":"ours"}]}}`,
			want:    `{"metadata":{},"spec":{"imagePullSecrets":[{"name":"own"}]}}`,
			secrets: []string{"ours"},
			removed: []string{"the status annotation", "the native sysctls", "the pull secrets"},
		},
		{
			name: "takes the container out of the lists of identity webhooks",
			pod: `{"metadata":{"annotations":{"eks.amazonaws.com/skip-containers":"proxy,sysctl-injector",` +
				`"azure.workload.identity/skip-containers":"sysctl-injector"}}}`,
			want: `{"metadata":{"annotations":{"eks.amazonaws.com/skip-containers":"proxy"}}}`,
			removed: []string{
				"the container in the annotation eks.amazonaws.com/skip-containers",
				"the container in the annotation azure.workload.identity/skip-containers",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Uninject([]byte(tt.pod), tt.secrets)
			patch, err := jsonpatch.DecodePatch(mustMarshal(r.Operations))
			if err != nil {
				t.Fatal(err)
			}
			got := []byte(tt.pod)
			if len(r.Operations) > 0 {
				if got, err = patch.Apply(got); err != nil {
					t.Fatal(err)
				}
			}
			if !jsonpatch.Equal([]byte(tt.want), got) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if diff := cmp.Diff(tt.removed, r.Removed); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
