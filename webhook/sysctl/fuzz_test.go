package sysctl

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documented grammar. The fuzz tests compare the package's loops with it.
var (
	nameGrammar  = regexp.MustCompile(`^[a-z0-9_]+(\.[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)+$`)
	slashGrammar = regexp.MustCompile(`^net\.((ipv4|ipv6)\.(conf|neigh)|mpls\.conf)\.[^.]+\.[^./]+$`) // names with "/"
	whole        = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,19})( (0|-?[1-9][0-9]{0,19}))*$`)
	argument     = regexp.MustCompile(Argument)
	plain        = regexp.MustCompile(PlainArgument)
	valueGrammar = regexp.MustCompile(`^[A-Za-z0-9_ ,:./+-]+$`)
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\n",
		"kernel.sem = 10000 \t 1024000000 500  32000\r\n",
		"# comment\n; another\n\nnet/core/somaxconn=1",
		"kernel/../../../tmp/x = 1",
		"-w = 1",
		"-net.core.somaxconn = 1",
		"-net.ipv6.conf.all.disable_ipv6 = 1\n-net.netfilter.nf_conntrack_buckets >= 65536",
		"net.core.somaxconn >= 4096\nnet.ipv4.tcp_rmem >= 4096 131072\t6291456",
		"kernel.shmmax >= 18446744073709551615\nkernel.x >= -9223372036854775808",
		"a.b >>= 1\na.b > = 1\na.b <= 1\na.b == 1\na.b >= 01\na.b >=",
		"net/ipv4/conf/eth0.100/forwarding = 1\nnet.ipv4.conf.eth1.100.forwarding = 1",
		"net.core.somaxconn = $(reboot); 'x' \"y\"",
		"net.core.somaxconn = 1\nnet/core/somaxconn = 2",
		"net.ipv4.conf.eth0/100.forwarding = 1",
		"net.core.somaxconn",
		"net.core.somaxconn =",
		"\ufeffnet.c\u043ere.x = \xff\x00",
		strings.Repeat("a", 300) + ".b = " + strings.Repeat("1", 300),
		lines(17),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		assignments, problems := Parse(text, annotation)
		if (len(assignments) == 0) == (len(problems) == 0) {
			t.Fatalf("%d assignments and %d problems", len(assignments), len(problems))
		}
		if len(problems) > MaxAssignments+1 {
			t.Errorf("%d problems", len(problems))
		}
		if len(assignments) > MaxAssignments {
			t.Errorf("%d assignments", len(assignments))
		}
		var rendered strings.Builder
		names := map[string]bool{}
		for _, a := range assignments {
			if !isName(a.Name) {
				t.Errorf("accepts the name %q", a.Name)
			}
			if a.Operator == AtLeast && !whole.MatchString(a.Value) {
				t.Errorf("accepts the minimum %q", a.Value)
			}
			if a.Optional && ModuleOf(a.Name) == "" {
				t.Errorf("accepts -%s, which no optional module provides", a.Name)
			}
			if text := a.String(); !argument.MatchString(text) || plain.MatchString(text) != a.IsPlain() {
				t.Errorf("renders %q; plain: %t", text, a.IsPlain())
			}
			if longest := MaxValueLengthOf(a.Name); len(a.Value) > longest || longest > MaxValueLength &&
				a.Name != "net.ipv4.ip_local_reserved_ports" {
				t.Errorf("%s: accepts a value of %d bytes", a.Name, len(a.Value))
			}
			if !valueGrammar.MatchString(a.Value) || strings.Contains(a.Value, "  ") ||
				strings.Trim(a.Value, blanks) != a.Value {
				t.Errorf("accepts the value %q", a.Value)
			}
			if names[a.Name] {
				t.Errorf("accepts %q twice", a.Name)
			}
			names[a.Name] = true
			fmt.Fprintln(&rendered, a)
		}
		if len(assignments) == 0 {
			return
		}
		again, problems := Parse(rendered.String(), annotation)
		if len(problems) > 0 {
			t.Fatalf("rejects the assignments that it rendered: %v", problems)
		}
		for i := range again {
			again[i].Line = assignments[i].Line
		}
		if diff := cmp.Diff(assignments, again); diff != "" {
			t.Errorf("parsing the rendered assignments changes them (-first +again):\n%s", diff)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, seed := range append(badNames, "net.core.somaxconn", "net/core/somaxconn", "a_0.Az-_9",
		"net/ipv4/conf/eth0.100/forwarding", "net.ipv4.conf.eth0/100.forwarding", "net.ipv4.conf.eth0.100.forwarding") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := ParseName(name)
		if err != nil {
			// Every canonical name must be accepted.
			if isName(name) && !interfaceInDots.MatchString(name) {
				t.Fatalf("ParseName(%q): %v", name, err)
			}
			return
		}
		if !isName(got) || interfaceInDots.MatchString(got) {
			t.Errorf("ParseName(%q) = %q, which is not canonical", name, got)
		}
		if again, err := ParseName(got); again != got || err != nil {
			t.Errorf("ParseName(%q) = %q, %v; it came from %q", got, again, err, name)
		}
		// The path equals the name, except for separators.
		same := func(s string) string { return strings.ReplaceAll(s, "/", ".") }
		if path := Path(got); same(path) != same(name) || filepath.Join("/proc/sys", path) != "/proc/sys/"+path {
			t.Errorf("ParseName(%q) = %q, whose path is %q", name, got, path)
		}
		if back, err := ParseName(Path(got)); back != got || err != nil {
			t.Errorf("ParseName(%q) = %q, %v, want %q", Path(got), back, err, got)
		}
	})
}

// interfaceInDots matches names whose interface is written with dots. ParseName turns them into slashes.
var interfaceInDots = regexp.MustCompile(`^net\.((ipv4|ipv6)\.(conf|neigh)|mpls\.conf)\.[^.]+\.[^.]+\..+$`)

func isName(name string) bool {
	return nameGrammar.MatchString(name) && len(name) <= MaxNameLength &&
		(!strings.Contains(name, "/") || slashGrammar.MatchString(name))
}
