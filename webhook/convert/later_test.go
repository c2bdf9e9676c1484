package convert

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
