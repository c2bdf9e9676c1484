package injection

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A value that only some nodes take leads to a warning, unless the pod has its own kernel.
func TestWarnsOfWhatDependsOnTheNode(t *testing.T) {
	const line = "net.ipv4.tcp_syncookies = 256\nnet.ipv4.tcp_plb_enabled = 1"
	w := validWorld()
	w.sysctls(line)
	want := []string{
		"net.ipv4.tcp_syncookies: takes 0 to 255 on Linux 5.10 and later: there, the pod will not start with 256",
		"net.ipv4.tcp_plb_enabled: can be set in a pod on Linux 6.6; on a node with an older kernel the pod may not " +
			"start",
	}
	if diff := cmp.Diff(want, w.decide(t, Config{}).Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	w.guest()
	if got := w.decide(t, Config{}).Warnings; len(got) > 0 {
		t.Errorf("in a guest: %q", got)
	}
}

// The warning appears only if spec.securityContext.sysctls has the same effect on every kubelet. Otherwise, pods that
// follow the advice would get other values, or a kubelet would reject them.
func TestWarnsOfWhatNeedsNoPrivilege(t *testing.T) {
	const want = "net.ipv4.tcp_rmem: safe since Kubernetes 1.32, so spec.securityContext.sysctls can set it without a " +
		"privileged init container"
	for _, test := range []struct {
		name, line string
		kubernetes uint
		guest      bool
		want       []string
	}{
		{"on every kubelet", "net.ipv4.tcp_rmem = 4096 131072 6291456", 35, false, []string{want}},
		{"an older kubelet rejects it", "net.ipv4.tcp_rmem = 4096 131072 6291456", 34, false, nil},
		{"the field cannot only raise it", "net.ipv4.tcp_rmem >= 4096 131072 6291456", 35, false, nil},
		{"a guest's runtime decides on the field", "net.ipv4.tcp_rmem = 4096 131072 6291456", 35, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.sysctls(test.line)
			if test.guest {
				w.guest()
			}
			got := w.decide(t, Config{Kubernetes: func() uint { return test.kubernetes }})
			if diff := cmp.Diff(test.want, got.Warnings); diff != "" || got.IsDenied() {
				t.Errorf("%s (-want +got):\n%s", got.Message(), diff)
			}
		})
	}
}
