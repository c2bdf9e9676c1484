package sysctl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseRejects compares whole messages, since users read them in kubectl.
func TestParseRejects(t *testing.T) {
	const (
		valueChars = `; allowed are A-Z a-z 0-9 _ space , : . / + -`
		nameChars  = `a sysctl name is words of letters, digits, _ and - joined by dots, such as net.core.somaxconn: ` +
			`the character `
		firstWord = `the first word of a sysctl name has only lower-case letters, digits and _: the character `
		dotsOnly  = `a sysctl name is words joined by single dots, such as net.core.somaxconn: ".." is not allowed`
		mixed     = "a sysctl name has either dots or slashes: write net.core.somaxconn or net/core/somaxconn. " +
			"Only a network interface with a dot in its name needs both, as in net/ipv4/conf/eth0.100/forwarding"
		empty   = `a sysctl name is words joined by single separators, such as net.core.somaxconn: one word is empty`
		oneWord = "a sysctl name has two words or more joined by dots, such as net.core.somaxconn"
		dash    = `a leading "-" is only for sysctls that an optional kernel module provides (net.ipv6.*, ` +
			`net.netfilter.*, net.bridge.*, net.ipv4.vs.*, net.sctp.*): remove the "-", since a pod must not start ` +
			`with a sysctl that was not set`
		noSuch   = ` is not an operator: write "name = value", or "name >= value" to only raise a value`
		wholes   = `">=" compares whole numbers, in decimal without leading zeros: `
		noEquals = `there is no "=": write one "name = value" a line`
		nothing  = `Required value: it asks for no sysctl: write at least one line such as ` +
			`"net.core.somaxconn = 1024", or remove it`
	)
	for _, test := range []struct {
		name string
		text string
		want []string
	}{
		// Names.
		{"a path out of /proc/sys", "kernel/../../../tmp/x = 1",
			[]string{`Invalid value: "kernel/../../../tmp/x": line 1: ` + dotsOnly}},
		{"a path out of /proc/sys in dot form", "kernel......tmp.x = 1",
			[]string{`Invalid value: "kernel......tmp.x": line 1: ` + dotsOnly}},
		{"an option for sysctl", "-w = 1", []string{`Invalid value: "w": line 1: ` + oneWord}},
		{"two dashes", "--net.ipv6.x = 1",
			[]string{`Invalid value: "-net.ipv6.x": line 1: ` + firstWord + `'-' is not allowed there`}},
		{"a dash followed by a blank", "- net.ipv6.x = 1",
			[]string{`Invalid value: " net.ipv6.x": line 1: ` + nameChars + `' ' is not allowed`}},
		{"a dash before a name that every kernel has", "-net.core.somaxconn = 1",
			[]string{`Invalid value: "net.core.somaxconn": line 1: ` + dash}},
		{"a dash before a parameter of an interface", "-net.ipv4.conf.eth7.rp_filter = 1",
			[]string{`Invalid value: "net.ipv4.conf.eth7.rp_filter": line 1: ` + dash}},
		{"a path", "/proc/sys/net/core/somaxconn = 1", []string{
			`Invalid value: "/proc/sys/net/core/somaxconn": line 1: a sysctl name starts below /proc/sys: ` +
				`leave the leading "/" or "/proc/sys/" off, as in net/core/somaxconn`,
		}},
		{"a slash in a word", "net.core.soma/xconn=1",
			[]string{`Invalid value: "net.core.soma/xconn": line 1: ` + mixed}},
		{"a dot in a word", "net/core/soma.xconn=1",
			[]string{`Invalid value: "net/core/soma.xconn": line 1: ` + mixed}},
		{"a slash in the parameter of an interface", "net.ipv4.conf.eth0.rp/filter=1",
			[]string{`Invalid value: "net.ipv4.conf.eth0.rp/filter": line 1: ` + mixed}},
		{"an interface named by separators only", "net.ipv4.conf.//.x=1",
			[]string{`Invalid value: "net.ipv4.conf.//.x": line 1: ` + empty}},
		{"an interface that ends in a dot", "net.ipv4.conf.eth0/.x=1",
			[]string{`Invalid value: "net.ipv4.conf.eth0/.x": line 1: ` + empty}},
		{"a path out of /proc/sys in place of an interface", "net/ipv4/conf/../../x=1",
			[]string{`Invalid value: "net/ipv4/conf/../../x": line 1: ` + dotsOnly}},
		{"an empty word", "net//core = 1", []string{`Invalid value: "net//core": line 1: ` + empty}},
		{"an empty last word", "net. = 1", []string{`Invalid value: "net.": line 1: ` + empty}},
		{"one word", "somaxconn = 1", []string{`Invalid value: "somaxconn": line 1: ` + oneWord}},
		{"no name", " = 1", []string{`Invalid value: "": line 1: the name is missing: write "name = value"`}},
		{"a capital first word", "Net.core.somaxconn = 1",
			[]string{`Invalid value: "Net.core.somaxconn": line 1: ` + firstWord + `'N' is not allowed there`}},
		{"a pattern", "net.* = 1", []string{`Invalid value: "net.*": line 1: ` + nameChars + `'*' is not allowed`}},
		{"a blank in a name", "net.core somaxconn = 1",
			[]string{`Invalid value: "net.core somaxconn": line 1: ` + nameChars + `' ' is not allowed`}},
		{"a look-alike letter", "net.c\u043ere.somaxconn = 1",
			[]string{`Invalid value: "net.cоre.somaxconn": line 1: ` + nameChars + `'\u043e' is not allowed`}},
		{"a byte order mark", "\ufeffnet.core.somaxconn = 1",
			[]string{`Invalid value: "\ufeffnet.core.somaxconn": line 1: ` + nameChars + `'\ufeff' is not allowed`}},
		{"a NUL", "net.core.so\x00 = 1",
			[]string{`Invalid value: "net.core.so\x00": line 1: ` + nameChars + `'\x00' is not allowed`}},
		{"broken UTF-8", "net.core.so\xff = 1",
			[]string{`Invalid value: "net.core.so\xff": line 1: ` + nameChars + `'\xff' is not allowed`}},
		{"a name too long", "n." + strings.Repeat("x", MaxNameLength-1) + " = 1", []string{
			`Invalid value: "n.` + strings.Repeat("x", maxEcho-2) +
				`...": line 1: a sysctl name has at most 253 characters, this one has 254`,
		}},

		// Values.
		{"a name without a value", "net.core.somaxconn =",
			[]string{`Required value: line 1: net.core.somaxconn has no value: write "name = value"`}},
		{"a name without =", "net.core.somaxconn",
			[]string{`Invalid value: "net.core.somaxconn": line 1: ` + noEquals}},
		{"a newline in a value", "kernel.sem = 1\n2 3 4", []string{`Invalid value: "2 3 4": line 2: ` + noEquals}},
		{"a carriage return in a value", "kernel.sem = 1\r2",
			[]string{`Invalid value: "1\r2": line 1: the character '\r' is not allowed in a value` + valueChars}},
		{"a second command", "net.core.somaxconn = 1; reboot", []string{
			`Invalid value: "1; reboot": line 1: the character ';' is not allowed in a value (a comment, or another ` +
				`assignment, needs a line of its own)` + valueChars,
		}},
		{"a command substitution as the value", "net.core.somaxconn = $(id)", []string{
			`Invalid value: "$(id)": line 1: the character '$' is not allowed in a value (it is set as written: ` +
				`no shell, no variables)` + valueChars,
		}},
		{"quotes", `kernel.sem = "1 2 3 4"`, []string{
			`Invalid value: "\"1 2 3 4\"": line 1: the character '"' is not allowed in a value ` +
				`(quotes are not needed)` + valueChars,
		}},
		{"a comment after a value", "net.core.somaxconn = 1 # queue", []string{
			`Invalid value: "1 # queue": line 1: the character '#' is not allowed in a value (a comment needs a line ` +
				`of its own)` + valueChars,
		}},
		{"two assignments on a line", "kernel.msgmax=1 kernel.msgmnb=2", []string{
			`Invalid value: "1 kernel.msgmnb=2": line 1: the character '=' is not allowed in a value (another ` +
				`assignment needs a line of its own)` + valueChars,
		}},
		{"broken UTF-8 in a value", "kernel.sem = 1\xc3",
			[]string{`Invalid value: "1\xc3": line 1: the character '\xc3' is not allowed in a value` + valueChars}},
		{"a value too long", "kernel.sem = " + strings.Repeat("1", MaxValueLength+1), []string{
			`Invalid value: "` + strings.Repeat("1", maxEcho) +
				`...": line 1: a value has at most 256 characters, this one has 257`,
		}},

		{"a minimum without a value", "net.core.somaxconn >=",
			[]string{`Required value: line 1: net.core.somaxconn has no value: write "name >= value"`}},
		{"a minimum that is a word", "net.ipv4.tcp_congestion_control >= bbr",
			[]string{`Invalid value: "bbr": line 1: ` + wholes + `"bbr" is not one`}},
		{"a minimum in octal", "kernel.sem >= 250 0100 1 1",
			[]string{`Invalid value: "250 0100 1 1": line 1: ` + wholes + `"0100" is not one`}},
		{"minimums joined by a comma", "kernel.x >= 1,2",
			[]string{`Invalid value: "1,2": line 1: ` + wholes + `"1,2" is not one`}},
		{"a minimum without digits", "kernel.x >= -",
			[]string{`Invalid value: "-": line 1: ` + wholes + `"-" is not one`}},
		{"a minimum above 64 bits", "kernel.shmmax >= 18446744073709551616", []string{
			`Invalid value: "18446744073709551616": line 1: ">=" compares 64-bit numbers: ` +
				`18446744073709551616 is out of range`,
		}},
		{"a minimum below 64 bits", "kernel.x >= -9223372036854775809", []string{
			`Invalid value: "-9223372036854775809": line 1: ">=" compares 64-bit numbers: ` +
				`-9223372036854775809 is out of range`,
		}},
		{"a maximum", "kernel.msgmax <= 1", []string{`Invalid value: "kernel.msgmax <= 1": line 1: "<="` + noSuch}},
		{"an arrow", "kernel.msgmax => 1", []string{`Invalid value: "kernel.msgmax => 1": line 1: "=>"` + noSuch}},
		{"a comparison", "kernel.msgmax == 1", []string{`Invalid value: "kernel.msgmax == 1": line 1: "=="` + noSuch}},
		{"an addition", "kernel.msgmax += 1", []string{`Invalid value: "kernel.msgmax += 1": line 1: "+="` + noSuch}},
		{"a shift", "kernel.msgmax >>= 1", []string{`Invalid value: "kernel.msgmax >>= 1": line 1: ">>="` + noSuch}},
		{"an operator in two parts", "kernel.msgmax > = 1",
			[]string{`Invalid value: "kernel.msgmax > = 1": line 1: "> ="` + noSuch}},
		{"a sign behind the operator", "kernel.msgmax = > 1", []string{
			`Invalid value: "> 1": line 1: the character '>' is not allowed in a value (write a minimum ` +
				`as "name >= value")` + valueChars,
		}},

		{"a list of ports too long", "net.ipv4.ip_local_reserved_ports = " + strings.Repeat("1", 4096), []string{
			`Invalid value: "` + strings.Repeat("1", maxEcho) +
				`...": line 1: a value has at most 4095 characters, this one has 4096`,
		}},

		// The text as a whole.
		{"the same name twice, raised and set", "net.core.somaxconn >= 1\nnet.core.somaxconn = 1", []string{
			`Duplicate value: "net.core.somaxconn": line 2: line 1 sets it already: keep one of them`,
		}},
		{"the same interface in another spelling",
			"net/ipv4/conf/eth0.1/rp_filter = 1\nnet.ipv4.conf.eth0.1.rp_filter = 1", []string{
				`Duplicate value: "net.ipv4.conf.eth0/1.rp_filter": line 2: line 1 sets it already: keep one of them`,
			}},
		{"the same name in another spelling", "net.core.somaxconn = 1\n# again\nnet/core/somaxconn = 1", []string{
			`Duplicate value: "net.core.somaxconn": line 3: line 1 sets it already: keep one of them`,
		}},
		{"one assignment too many", "# many\n" + lines(MaxAssignments+1), []string{
			`Too many: 65: at most 64 assignments are allowed: remove 1, from line 66 on`,
		}},
		{"nothing", "", []string{nothing}},
		{"only comments", "# later\n\n;\n", []string{nothing}},
		{"several problems, all at once", "net = 1\nnet.core.somaxconn = 1\nnet.core.somaxconn = 2\nkernel.sem",
			[]string{
				`Invalid value: "net": line 1: ` + oneWord,
				`Duplicate value: "net.core.somaxconn": line 3: line 2 sets it already: keep one of them`,
				`Invalid value: "kernel.sem": line 4: ` + noEquals,
			}},
	} {
		t.Run("rejects "+test.name, func(t *testing.T) {
			assignments, problems := Parse(test.text, annotation)
			if assignments != nil {
				t.Errorf("returns both problems and assignments: %v", assignments)
			}
			var got, want []string
			for _, problem := range problems {
				got = append(got, problem.Error())
			}
			for _, w := range test.want {
				want = append(want, prefix+w)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseLimitsItsErrors(t *testing.T) {
	_, problems := Parse(strings.Repeat(strings.Repeat("\xf0\x9f\x90\x9f", 4000)+"\n", 1000), annotation)
	if len(problems) != MaxAssignments+1 {
		t.Errorf("%d problems for 1000 bad lines, want %d", len(problems), MaxAssignments+1)
	}
	if size := len(problems.ToAggregate().Error()); size > 32768 {
		t.Errorf("the errors for 16 MB have %d bytes", size)
	}
}
