package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/audit"
)

// auditReport is a report with something of each kind.
func auditReport() audit.Report {
	const long = "line 3: the value comes from a file that this container does not show, so nobody can tell from " +
		"here what is set <script>alert(1)</script>"
	return audit.Report{
		Cluster: "production", Kubernetes: "v1.37.2", Time: time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC),
		Policies: "the cluster's own, default, search",
		Counts:   audit.Counts{Workloads: 128, Annotated: 7, ByHand: 4, Converts: 1, Partly: 1, Stays: 2},
		Workloads: []*audit.Finding{
			{Namespace: "search", Kind: "StatefulSet", Name: "logs", Verdict: audit.Stays,
				Containers: []audit.Container{
					{Path: "initContainers[0]", Name: "maps", Sets: []string{"vm.max_map_count = 262144"},
						Reasons: []string{long}},
				}},
			{Namespace: "shop", Kind: "Deployment",
				Name: "front-with-a-name-that-is-much-longer-than-a-column-has-room-for", Verdict: audit.Converts,
				Annotation: []string{"net.core.somaxconn = 1024", "net.ipv4.tcp_tw_reuse >= 1"},
				Containers: []audit.Container{
					{Path: "initContainers[0]", Name: "sysctl", Sets: []string{"net.core.somaxconn = 1024",
						"net.ipv4.tcp_tw_reuse >= 1"}, Converts: true,
						Notes: []string{"line 4: net.core.netdev_max_backlog is left out: a pod does not have it"}},
				}},
			{Namespace: "shop", Kind: "Cache", Name: "redis", Pods: 3, Verdict: audit.Stays,
				Annotation: []string{"net.core.somaxconn = 511"}, Containers: []audit.Container{
					{
						Path:    "initContainers[0]",
						Name:    "backlog",
						Sets:    []string{"net.core.somaxconn = 511"},
						Manual:  true,
						Reasons: []string{"a custom resource creates these pods: change it by hand"},
					},
					{
						Path:    "containers[1]",
						Name:    "loop",
						Reasons: []string{"it is not an init container, so it is not changed"},
					},
				}},
			{Namespace: "voice", Kind: "DaemonSet", Name: "turn", Verdict: audit.Partly, Native: []audit.Native{
				{Name: "net.core.somaxconn", Value: "512", Converts: true},
				{Name: "net.core.rmem_max", Value: "26214400", Reasons: []string{"a pod cannot set it"}},
			}, Annotation: []string{"net.core.somaxconn = 512"}},
		},
		Namespaces: []audit.Namespace{{Name: "shop", Label: "privileged", Standard: "restricted"},
			{Name: "voice", Standard: "baseline", Converts: true}},
		Incomplete: []string{"objects of kind Job: forbidden"},
	}
}

// The golden files are what a person sees.
func TestAuditIsPrinted(t *testing.T) {
	for _, format := range []string{outputTable, outputJSON, outputHTML} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&auditOptions{output: format}).print(&out, auditReport()); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "audit", "report."+format)
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if format == outputHTML && strings.Contains(out.String(), "<script>") {
				t.Error("text of a workload is a part of the page")
			}
		})
	}
}

// No line is longer than the terminal is wide.
func TestAuditTableFits(t *testing.T) {
	for _, width := range []int{80, 100, 200} {
		var text strings.Builder
		text.WriteString(auditRows(auditReport(), width))
		reasons(&text, auditReport(), width)
		for line := range strings.Lines(text.String()) {
			if length := utf8.RuneCountInString(strings.TrimRight(line, "\n")); length > width {
				t.Errorf("%d characters do not fit %d: %s", length, width, line)
			}
		}
	}
}
