package injection

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

// safeLines are seven of a tuning list for a proxy that every kubelet of a Kubernetes 1.37 cluster allows, and unsafe
// ones of the same list.
const safeLines = `net.ipv4.tcp_rmem = 4096 131072 6291456
net.ipv4.tcp_wmem = 4096 65536 6291456
net.ipv4.ip_local_port_range = 12000 64000
net.ipv4.tcp_fin_timeout = 5
net.ipv4.tcp_keepalive_time = 120
net.ipv4.tcp_keepalive_intvl = 10
net.ipv4.tcp_keepalive_probes = 3
`

func unsafeLines(count int) string {
	var text strings.Builder
	for n := range count {
		fmt.Fprintf(&text, "net.ipv4.x%d = 1\n", n)
	}
	return text.String()
}

func TestLimit(t *testing.T) {
	const (
		need = " sysctls need the init container, which can set at most 16: the guard checks each of them, and " +
			"has a budget for so many"
		natives = "; with the annotation sysctl-injector.dev/strategy: native-first, Kubernetes itself sets 7 of " +
			"them: net.ipv4.tcp_rmem, net.ipv4.tcp_wmem, net.ipv4.ip_local_port_range, net.ipv4.tcp_fin_timeout, " +
			"net.ipv4.tcp_keepalive_time, net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes"
	)
	for _, test := range []struct {
		name   string
		lines  string
		native bool
		verify bool
		want   string
	}{
		{"sixteen pass", safeLines + unsafeLines(9), false, false, ""},
		{"more are rejected, and what could be native is named", safeLines + unsafeLines(12), false, false, "19" +
			need + natives},
		{"natively set ones do not count", safeLines + unsafeLines(16), true, false, ""},
		{"the others do", safeLines + unsafeLines(17), true, false, "17" + need + "; remove 1"},
		{"even so there are too many", unsafeLines(18) + safeLines, false, false, "25" + need + natives +
			"; remove 2 of the others"},
		{"sixteen may be verified", unsafeLines(16), false, true, ""},
		{"more may not", safeLines + unsafeLines(12), false, true,
			"19 sysctls are to be verified, and the init container takes at most 16; remove 3"},
		{"none could be native", unsafeLines(20), false, false, "20" + need + "; remove 4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.sysctls(test.lines)
			if test.native {
				w.annotate(v1alpha1.StrategyAnnotation, string(form.NativeFirst))
			}
			if test.verify {
				w.annotate(v1alpha1.ModeAnnotation, "verify")
			}
			w.allow = append(w.allow, v1alpha1.AllowRule{Names: namesIn(test.lines)})
			got := w.decide(t, Config{Kubernetes: func() uint { return 37 }})
			want := "TooManySysctls: " + annotation + "Forbidden: " + test.want
			switch {
			case test.want == "" && got.IsDenied():
				t.Errorf("rejected: %s", got.Message())
			case test.want != "" && (!got.IsDenied() || got.Message() != want):
				t.Errorf("got  %s\nwant %s", got.Message(), want)
			}
		})
	}
}

func namesIn(lines string) []string {
	var names []string
	for line := range strings.Lines(lines) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names
}
