package injection

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// The hand-written encoder writes the same bytes as encoding/json.
func TestStatusIsEncodedAsByReflection(t *testing.T) {
	for _, status := range []Status{
		{Version: "v1.2.3", Kernel: v1alpha1.SharedKernel,
			Sysctls: []string{"net.core.somaxconn=4096", "kernel.sem=250 32000 100 128"}},
		{Version: "v1.2.3", Kernel: v1alpha1.SharedKernel, Form: "privileged", Sysctls: []string{"a.b=1", "c.d=2"},
			Native: []string{"c.d=2"}},
		{Version: `a "dirty" \ build é`, Sysctls: []string{}},
	} {
		if diff := cmp.Diff(string(mustMarshal(status)), status.encode()); diff != "" {
			t.Errorf("(-encoding/json +by hand):\n%s", diff)
		}
	}
}
