package convert

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestLaterWritesLimits tests scripts that would take long or need much memory. Those beyond the limits are not
// analyzed, and the names in them count.
func TestLaterWritesLimits(t *testing.T) {
	const name = "net.core.somaxconn"
	const set = "\nsysctl -w net.core.somaxconn=7"
	for _, test := range []struct {
		name, script string
		isAnalyzed   bool
	}{
		{"a short script", "V=7" + set, true},
		{"a variable that doubles", "V=aaaaaaaa\n" + strings.Repeat("V=$V$V\n", 64) + "echo $V" + set, true},
		{"a file that doubles", "echo aaaaaaaaaaaa > /tmp/a\n" +
			strings.Repeat("cat /tmp/a /tmp/a > /tmp/b; cat /tmp/b > /tmp/a\n", 64) + set, true},
		{"many words", "V='" + strings.Repeat("a ", 300) + "'\n" + strings.Repeat("echo $V $V\n", 200) + set, true},
		{"many paths", strings.Repeat("id -u && ", 300) + "true" + set, false},
		{"deep nesting", strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000) + set, false},
		{"deep nesting of indices", strings.Repeat("a[", 2000) + set, false},
		{"deep nesting of conditions", strings.Repeat("if ", 2000) + set, false},
		{"a long script", strings.Repeat("true\n", 5000) + set, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			encoded, err := json.Marshal(initContainer("busybox", "sh", "-c", test.script).Spec.InitContainers[0])
			if err != nil {
				t.Fatal(err)
			}
			want := []Later{{name, "7"}}
			if !test.isAnalyzed {
				want = []Later{{Name: name}}
			}
			got := LaterWrites(encoded, NewBudget(), false, false, []Assignment{{Name: name, Value: "4096"},
				{Name: "net.ipv4.tcp_fin_timeout", Value: "9"}})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Kubernetes' own arithmetic would not end within the test's time.
func TestLaterWritesOfAQuantityThatNoNodeHas(t *testing.T) {
	c := initContainer("busybox", "sysctl", "-w", "net.core.somaxconn=7").Spec.InitContainers[0]
	encoded := strings.Replace(string(encode(t, &c)), `"resources":{}`,
		`"resources":{"limits":{"example.com/gpu":"1e-999999999"}}`, 1)
	if later := laterWritesOf([][]byte{[]byte(encoded)}); len(later) > 0 || !strings.Contains(encoded, "gpu") {
		t.Errorf("%s: got %v", encoded, later)
	}
}

// TestLaterWritesWithoutCommand tests containers that run the shell of their image, and only name a directory.
func TestLaterWritesWithoutCommand(t *testing.T) {
	named := initContainer("busybox").Spec.InitContainers[0]
	named.Env = []corev1.EnvVar{{Name: "DIR", Value: "/proc/sys/net/core"}}
	within := initContainer("alpine:3.20", []string{}...).Spec.InitContainers[0]
	within.WorkingDir = "/proc/sys/net/core"
	for _, c := range []corev1.Container{named, within} {
		if later := laterWritesOf([][]byte{encode(t, &c)}); len(later) > 0 {
			t.Errorf("%+v: got %v", c, later)
		}
	}
}
