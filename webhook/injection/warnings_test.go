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
