package convert

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// repeated returns a script that runs a command 495 times, the most that the limit on steps allows.
func repeated(command string) string {
	return "x=aaaa; for j in 1 2 3 4 5; do for i in " + strings.Repeat("a ", 99) + "; do " + command + "; done; done"
}

// expensive are scripts that keep all limits on length, depth and steps, and repeat as much work as possible.
var expensive = map[string]string{
	"a long word":             repeated(`y="` + strings.Repeat("$x", 3400) + `"`),
	"a long word, unquoted":   repeated("y=" + strings.Repeat("$x", 3400)),
	"many assignments":        repeated(strings.Repeat("y= ", 2300)),
	"many names":              repeated("sysctl" + strings.Repeat(" net.core.somaxconn", 190)),
	"many reads":              repeated("cat" + strings.Repeat(" /proc/sys/net/core/somaxconn", 190)),
	"many unknown variables":  repeated("y=" + unknownVariables(1000)),
	"a long pipe":             repeated("id" + strings.Repeat("|id", 2200)),
	"many redirections":       repeated("id" + strings.Repeat(">/a", 650)),
	"a long here-document":    repeated("cat <<a\n" + strings.Repeat("$x", 3400) + "\na\n"),
	"a long format":           repeated("printf " + strings.Repeat("%%", 3400) + " > /tmp/a"),
	"a large file, many tees": largeFile + repeated("cat /tmp/a | tee"+strings.Repeat(" /tmp/b", 190)),
	"a large file, loaded":    largeFile + repeated("sysctl -p /tmp/a"),
	"a large text, joined":    largeText + repeated(`y="$V$x"`),
	"a large text, split":     largeText + repeated("for k in"+strings.Repeat(" $V", 2000)+"; do :; done"),
	"a large text, reported":  largeText + repeated("sysctl -w $V=1"),
	"nested conditions":       repeated("if [[ " + strings.Repeat("! ", 3400) + "a ]]; then :; fi"),
	"a sum":                   repeated("y=$((1" + strings.Repeat("+1", 3400) + "))"),
	"many here-documents":     "cat" + strings.Repeat(" <<a", 380) + "\n" + strings.Repeat("a\n", 380),
	"nested words": repeated("y=" + strings.Repeat("${x:-", 90) + strings.Repeat("$z", 2500) +
		strings.Repeat("}", 90)),
	"nested indices":    strings.Repeat("a[", 190),
	"nested loops":      strings.Repeat("while ", 190) + strings.Repeat("true\n", 900),
	"nested statements": strings.Repeat("if ! ", 190),
	"many paths":        strings.Repeat("sysctl -w net.core.somaxconn=5||id $x$x$x\n", 90),
	"many values":       repeated("sysctl -w" + strings.Repeat(" net.core.somaxconn=7", 180)),
	"many signs":        "echo `echo \"`" + strings.Repeat("$", 6000),
	"subshells":         manyVariables(700) + repeated("(:)"),
}

const (
	largeText = "V=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 0; do V=$V$V; done; V=$V.a; "
	largeFile = "V='#aaaaaaaaaaaaaa\n'; for i in 1 2 3 4 5 6 7 8 9; do V=\"$V$V\"; done; echo \"$V\" > /tmp/a; "
)

func unknownVariables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "$A%d", i)
	}
	return b.String()
}

func manyVariables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "A%d= ", i)
	}
	return b.String() + "; "
}

// expensivePod returns the containers of a pod: each runs the script on each of eight paths, and again after its start.
func expensivePod(tb testing.TB, script string) [][]byte {
	tb.Helper()
	c := initContainer("example.com/x", "bash", "-c", "sysctl -w net.core.somaxconn=7 || id || id a || date\n"+script).
		Spec.InitContainers[0]
	alone := encode(tb, &c)
	c.Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: c.Command}}}
	both := encode(tb, &c)
	if len(alone) > maxLaterBytes {
		tb.Fatalf("a container of %d bytes is not read", len(alone))
	}
	if len(both) <= maxLaterBytes {
		alone = both
	}
	return [][]byte{alone, alone, alone, alone}
}

func encode(tb testing.TB, c *corev1.Container) []byte {
	tb.Helper()
	encoded, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	return encoded
}

func laterWritesOf(containers [][]byte) []Later {
	budget := NewBudget()
	var all []Later
	for _, c := range containers {
		all = append(all, LaterWrites(c, budget, false, false,
			[]Assignment{{Name: "net.core.somaxconn", Value: "4096"}})...)
	}
	return all
}

// TestLaterWritesWorkIsLimited counts the memory that LaterWrites allocates for a whole pod, since time depends on the
// machine. The names in a script that exceeds the budget count.
func TestLaterWritesWorkIsLimited(t *testing.T) {
	const most = 16 << 20
	for name, script := range expensive {
		t.Run(name, func(t *testing.T) {
			containers := expensivePod(t, script)
			var all []Later
			if got := allocated(func() { all = laterWritesOf(containers) }); got > most {
				t.Errorf("%d MiB are allocated", got>>20)
			}
			if last := all[len(all)-1]; last.Name != "net.core.somaxconn" {
				t.Errorf("got %v", all)
			}
		})
	}
}

// TestLaterWritesVariablesAreLimited tests variables of which each has twice the length of the one before it.
func TestLaterWritesVariablesAreLimited(t *testing.T) {
	c := initContainer("busybox", "sh", "-c", "sysctl -w net.core.somaxconn=7 $(A20)").Spec.InitContainers[0]
	c.Env = []corev1.EnvVar{{Name: "A0", Value: "0123456789abcdef"}}
	for n := range 20 {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("A%d", n+1), Value: fmt.Sprintf("$(A%d)$(A%[1]d)", n)})
	}
	var got []Later
	if bytes := allocated(func() { got = laterWritesOf([][]byte{encode(t, &c)}) }); bytes > 16<<20 {
		t.Errorf("%d MiB are allocated", bytes>>20)
	}
	if diff := cmp.Diff([]Later{{Name: "net.core.somaxconn"}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// BenchmarkLaterWrites measures an ordinary pod and the most expensive ones.
func BenchmarkLaterWrites(b *testing.B) {
	run := func(name string, containers [][]byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				laterWritesOf(containers)
			}
		})
	}
	ordinary := initContainer("busybox", "sh", "-c", "set -e\nsysctl -w net.core.somaxconn=1024").Spec.InitContainers[0]
	run("ordinary", [][]byte{encode(b, &ordinary)})
	for name, script := range expensive {
		run(name, expensivePod(b, script))
	}
}
