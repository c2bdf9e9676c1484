package sysctl

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The grammar as the documentation states it. The loops of the package are held to it here.
var (
	nameGrammar  = regexp.MustCompile(`^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$`)
	valueGrammar = regexp.MustCompile(`^[A-Za-z0-9_ ,:./+-]{1,256}$`)
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\n",
		"kernel.sem = 10000 \t 1024000000 500  32000\r\n",
		"# comment\n; another\n\nnet/core/somaxconn=1",
		"kernel/../../../tmp/x = 1",
		"-w = 1",
		"-net.core.somaxconn = 1",
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
			if !nameGrammar.MatchString(a.Name) || len(a.Name) > MaxNameLength {
				t.Errorf("accepts the name %q", a.Name)
			}
			if !valueGrammar.MatchString(a.Value) || strings.Contains(a.Value, "  ") || strings.Trim(a.Value, blanks) != a.Value {
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
			t.Fatalf("refuses what it rendered: %v", problems)
		}
		for i := range again {
			again[i].Line = assignments[i].Line
		}
		if diff := cmp.Diff(assignments, again); diff != "" {
			t.Errorf("reads what it rendered differently (-first +again):\n%s", diff)
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, seed := range append(badNames, "net.core.somaxconn", "net/core/somaxconn", "a_0.Az-_9") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		dotted := name
		if !strings.Contains(name, ".") {
			dotted = strings.ReplaceAll(name, "/", ".")
		}
		want := nameGrammar.MatchString(dotted) && len(dotted) <= MaxNameLength
		got, err := ParseName(name)
		if (err == nil) != want {
			t.Fatalf("ParseName(%q) = %q, %v; the grammar says %t", name, got, err, want)
		}
		if want && got != dotted {
			t.Errorf("ParseName(%q) = %q, want %q", name, got, dotted)
		}
	})
}
