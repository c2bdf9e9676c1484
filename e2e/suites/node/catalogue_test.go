package node_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// most is how many sysctls a pod may ask for.
const most = 16

// Every sysctl of a network or IPC namespace that pods can set by the catalogue, and that this kernel has, is set in a
// pod and read back. It is set to another value if it accepts one.
func TestEverySysctlOfTheCatalogue(t *testing.T) {
	t.Parallel()
	setEverySysctl(t)
}

// setEverySysctl sets the sysctls in pods that are changed by tweaks.
func setEverySysctl(t *testing.T, tweaks ...func(*corev1.Pod)) {
	t.Helper()
	namespace := makeNamespace(t, enrolled())
	reader := run(t, namespace, newPod("reader", "", tweaks...))
	offered := offeredIn(t, reader)
	var names, absent []string
	for entry := range sysctl.Known() {
		if settable(entry) && !slices.Contains(offered, entry.Name) {
			absent = append(absent, entry.Name)
		}
	}
	for _, name := range offered {
		if _, found := otherViews[name]; settable(sysctl.Lookup(name)) && !found {
			names = append(names, name)
		}
	}
	t.Logf("%d names; the catalogue spells out %d more that this kernel does not have in a pod: %s", len(names),
		len(absent), strings.Join(absent, " "))
	host := hostValues(t, onHost(names))
	found := tryInNewNamespaces(t, names)
	if len(found) < len(names) {
		t.Logf("NOT SET, as new namespaces neither show them nor take a value: %q", missing(names, found))
	}
	var groups []group
	// The grants of a namespace are limited, so the pods are spread over several namespaces.
	fill := func(labels map[string]string, assignments []assignment, further ...func(*corev1.Pod)) {
		namespace, names := "", 0
		for chunk := range slices.Chunk(assignments, most) {
			if names += len(chunk); namespace == "" || names > grants.DefaultLimits().Names {
				namespace, names = makeNamespace(t, labels), len(chunk)
			}
			groups = append(groups, group{namespace, chunk, append(slices.Clone(tweaks), further...)})
		}
	}
	open, secret := forEveryone(t, reader, found)
	fill(enrolled(), open)
	// "restricted" does not allow root.
	t.Logf("read by root, in a namespace held to baseline: %q", secret)
	fill(guardedAt("baseline"), secret, plain)
	read := setInPods(t, groups)
	var table strings.Builder
	writer := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(writer, "SYSCTL\tA NEW NAMESPACE'S\tSET\tREAD")
	for _, a := range found {
		fmt.Fprintf(writer, "%s\t%s\t%s\t%s\n", a.name, a.initial, a.value, read[a.name])
		// Root of a user namespace may read a secret only if it also has NET_ADMIN, as the injected container has
		// (net/sysctl_net.c, net_ctl_permissions).
		if userNamespaced := reader.Spec.HostUsers != nil && !*reader.Spec.HostUsers; userNamespaced &&
			slices.Contains(secret, a) {
			continue
		}
		if read[a.name] != a.value {
			t.Errorf("%s was set to %q, and the app reads %q", a.name, a.value, read[a.name])
		}
	}
	_ = writer.Flush()
	t.Logf("set by annotation and read in the app's container:\n%s", table.String())
	for what, value := range hostValues(t, onHost(names)) {
		if host[what] != value {
			t.Errorf("%s was %q before and is %q after", what, host[what], value)
		}
	}
}

// group are the sysctls of one pod.
type group struct {
	namespace   string
	assignments []assignment
	tweaks      []func(*corev1.Pod)
}

// setInPods sets the sysctls of each group in a pod, and returns what the apps read.
func setInPods(t *testing.T, groups []group) map[string]string {
	t.Helper()
	var mu sync.Mutex
	read := map[string]string{}
	passed := t.Run("pods", func(t *testing.T) { // returns when all of its parallel tests have ended
		for n, g := range groups {
			name := fmt.Sprintf("group-%d", n)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var names, lines []string
				for _, a := range g.assignments {
					names, lines = append(names, a.name), append(lines, a.name+" = "+a.value)
				}
				pod := run(t, g.namespace, newPod(name, strings.Join(lines, "\n"), g.tweaks...))
				found := values(t, pod, app, names...)
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(read, found)
			})
		}
	})
	if !passed {
		t.FailNow() // values are missing
	}
	return read
}

func missing(names []string, found []assignment) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(found, func(a assignment) bool { return a.name == name })
	})
}

// otherViews are sysctls that show the value of another one in other units. If both were set, only the last value would
// hold.
var otherViews = map[string]string{
	"net.ipv6.route.gc_min_interval_ms": "net.ipv6.route.gc_min_interval",
	"net.mptcp.path_manager":            "net.mptcp.pm_type",
}

// settable reports whether a pod can set a sysctl according to the catalogue.
func settable(entry sysctl.Entry) bool {
	return (entry.Scope == sysctl.Network || entry.Scope == sysctl.IPC) && entry.HostOnly == nil &&
		entry.Forbidden == nil
}

// forEveryone divides sysctls into those that every user may read and those that only root may read.
func forEveryone(t *testing.T, pod *corev1.Pod, all []assignment) (open, secret []assignment) {
	t.Helper()
	readable := namesIn(t, pod, "-perm", "-0004")
	for _, a := range all {
		if slices.Contains(readable, a.name) {
			open = append(open, a)
		} else {
			secret = append(secret, a)
		}
	}
	return open, secret
}

// offeredIn lists the sysctls in a pod that its root may read and write, by the project's names. Of the sysctls of
// interfaces it lists only the defaults, since all interfaces have the same ones. It leaves out net.ipv4.route.flush,
// which cannot be read.
func offeredIn(t *testing.T, pod *corev1.Pod) []string {
	t.Helper()
	return namesIn(t, pod, "-perm", "-0600")
}

// namesIn lists the sysctls of a pod's namespaces for which `find` has the tests given.
func namesIn(t *testing.T, pod *corev1.Pod, tests ...string) []string {
	t.Helper()
	args := append([]string{"find", "/proc/sys/net", "/proc/sys/kernel", "/proc/sys/fs/mqueue", "-type", "f"}, tests...)
	listed, err := inside(t, pod, app, args...)
	if err != nil {
		t.Fatalf("list /proc/sys in a pod: %v: %s", err, listed)
	}
	var names []string
	for path := range strings.Lines(listed) {
		name, err := sysctl.ParseName(strings.TrimPrefix(strings.TrimSpace(path), "/proc/sys/"))
		if err != nil {
			t.Errorf("%s is no name for the project: %v", strings.TrimSpace(path), err)
			continue
		}
		if !strings.Contains(name, ".lo.") && !strings.Contains(name, ".eth0.") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
