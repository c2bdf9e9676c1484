package templates_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// meantLower are sysctls that profiles lower on purpose: the time until a dead peer is noticed.
var meantLower = []string{"net.ipv4.tcp_retries2", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes"}

// TestProfilesLowerNoDefault checks that no profile lowers a default of the running kernel, as a tuning guide for an
// old kernel would. It compares node-level names with the values of this machine.
func TestProfilesLowerNoDefault(t *testing.T) {
	if os.Geteuid() == 0 {
		// The thread is never unlocked, so it ends with the test, and so does its network namespace.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("NOT IN A NEW NETWORK NAMESPACE, which needs root: the values are those of this machine")
	}
	for _, file := range files(t, templates.Profiles, "profiles") {
		var object v1alpha1.SysctlProfile
		if err := templates.Decode(templates.Profiles, file, &object); err != nil {
			t.Fatal(err)
		}
		assignments, errs := sysctl.Parse(object.Spec.Sysctls, field.NewPath("spec", "sysctls"))
		if len(errs) > 0 {
			t.Fatal(errs.ToAggregate())
		}
		for _, a := range assignments {
			text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(a.Name, ".", "/"))
			if err != nil {
				t.Errorf("%s: %s: %v", file, a.Name, err)
				continue
			}
			own, wanted := strings.Fields(string(text)), strings.Fields(a.Value)
			if len(own) != len(wanted) {
				t.Errorf("%s: %s has %d fields, but %d in the kernel", file, a.Name, len(wanted), len(own))
				continue
			}
			for i := range own {
				m, n := number(t, own[i]), number(t, wanted[i])
				if n < m && a.Operator != sysctl.AtLeast && !slices.Contains(meantLower, a.Name) {
					t.Errorf("%s: %s sets %d, but the kernel has %d", file, a, n, m)
				}
			}
		}
	}
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
