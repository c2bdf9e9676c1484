package sysctl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var annotation = field.NewPath("metadata", "annotations").Key("sysctl-injector.dev/sysctls")

const prefix = "metadata.annotations[sysctl-injector.dev/sysctls]: "

func TestParseAccepts(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		want []Assignment
	}{
		{
			name: "one assignment without an end of line",
			text: "net.core.somaxconn=1024",
			want: []Assignment{{Name: "net.core.somaxconn", Value: "1024", Line: 1}},
		},
		{
			name: "comments, blank lines and blanks as in sysctl.conf(5)",
			text: "# high ports\n\n ; and the queue\n\tnet.core.somaxconn \t=  32768 \n" +
				"net.ipv4.ip_local_port_range = 32768 65535\n",
			want: []Assignment{
				{Name: "net.core.somaxconn", Value: "32768", Line: 4},
				{Name: "net.ipv4.ip_local_port_range", Value: "32768 65535", Line: 5},
			},
		},
		{
			name: "runs of blanks inside a value as one space",
			text: "kernel.sem = 10000 \t  1024000000\t500   32000",
			want: []Assignment{{Name: "kernel.sem", Value: "10000 1024000000 500 32000", Line: 1}},
		},
		{
			name: "CRLF line ends",
			text: "net.core.somaxconn = 1\r\n\r\nkernel.msgmax = 2\r\n",
			want: []Assignment{
				{Name: "net.core.somaxconn", Value: "1", Line: 1},
				{Name: "kernel.msgmax", Value: "2", Line: 3},
			},
		},
		{
			name: "the slash form",
			text: "net/ipv4/conf/eth0/forwarding = 1",
			want: []Assignment{{Name: "net.ipv4.conf.eth0.forwarding", Value: "1", Line: 1}},
		},
		{
			name: "an interface whose name has a dot, in each of its spellings",
			text: "net/ipv4/conf/eth0.100/rp_filter = 1\nnet.ipv4.conf.eth1/100.rp_filter = 1\n" +
				"net.ipv6.neigh.net1.7.retrans_time_ms = 1",
			want: []Assignment{
				{Name: "net.ipv4.conf.eth0/100.rp_filter", Value: "1", Line: 1},
				{Name: "net.ipv4.conf.eth1/100.rp_filter", Value: "1", Line: 2},
				{Name: "net.ipv6.neigh.net1/7.retrans_time_ms", Value: "1", Line: 3},
			},
		},
		{
			name: "minimum values",
			text: "net.core.somaxconn >= 4096\nnet.ipv4.tcp_rmem>=4096\t131072  6291456\n" +
				"kernel.shmmax\t>=\t18446744073709551615\nkernel.x >= -9223372036854775808 0",
			want: []Assignment{
				{Name: "net.core.somaxconn", Operator: AtLeast, Value: "4096", Line: 1},
				{Name: "net.ipv4.tcp_rmem", Operator: AtLeast, Value: "4096 131072 6291456", Line: 2},
				{Name: "kernel.shmmax", Operator: AtLeast, Value: "18446744073709551615", Line: 3},
				{Name: "kernel.x", Operator: AtLeast, Value: "-9223372036854775808 0", Line: 4},
			},
		},
		{
			name: "sysctls that the kernel may lack",
			text: "-net.ipv6.conf.all.disable_ipv6 = 1\n-net/netfilter/nf_conntrack_tcp_timeout_established >= 7200",
			want: []Assignment{
				{Name: "net.ipv6.conf.all.disable_ipv6", Optional: true, Value: "1", Line: 1},
				{
					Name:     "net.netfilter.nf_conntrack_tcp_timeout_established",
					Optional: true,
					Operator: AtLeast,
					Value:    "7200",
					Line:     2,
				},
			},
		},
		{
			name: "every character that a name may hold",
			text: "a_0.Az-_9 = 1",
			want: []Assignment{{Name: "a_0.Az-_9", Value: "1", Line: 1}},
		},
		{
			name: "every character that a value may hold",
			text: "kernel.x = AZaz09_ ,:./+-",
			want: []Assignment{{Name: "kernel.x", Value: "AZaz09_ ,:./+-", Line: 1}},
		},
		{
			name: "the longest name and the longest value",
			text: "n." + strings.Repeat("x", MaxNameLength-2) + "=" + strings.Repeat("1", MaxValueLength),
			want: []Assignment{
				{
					Name:  "n." + strings.Repeat("x", MaxNameLength-2),
					Value: strings.Repeat("1", MaxValueLength),
					Line:  1,
				},
			},
		},
		{
			name: "the longest list of ports",
			text: "net.ipv4.ip_local_reserved_ports = " + strings.Repeat("1", 4095),
			want: []Assignment{{Name: "net.ipv4.ip_local_reserved_ports", Value: strings.Repeat("1", 4095), Line: 1}},
		},
		{
			name: "the most assignments",
			text: lines(MaxAssignments),
			want: numbered(MaxAssignments),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := Parse(test.text, annotation)
			if len(problems) > 0 {
				t.Fatalf("Parse: %v", problems)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("assignments (-want +got):\n%s", diff)
			}
		})
	}
}

func lines(n int) string {
	var text strings.Builder
	for _, a := range numbered(n) {
		fmt.Fprintln(&text, a)
	}
	return text.String()
}

func numbered(n int) []Assignment {
	assignments := make([]Assignment, n)
	for i := range assignments {
		assignments[i] = Assignment{Name: fmt.Sprintf("net.test.n%d", i+1), Value: "1", Line: i + 1}
	}
	return assignments
}

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"two", "net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\n"},
		{"sixteen", lines(MaxContained)},
		{"rejected", "kernel/../../../tmp/x = 1"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(bench.text, annotation)
			}
		})
	}
}
