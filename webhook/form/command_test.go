package form

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// seeds are arguments, and what is nearly one.
var seeds = []string{
	"net.core.somaxconn=1024", "net.ipv4.ip_local_port_range=32768 65535", "kernel.sem=1 2  3 4", "a.b= 1", "a.b=1 ",
	"a.b=", "a=1",
	"a.b=1=2", "a/b=1", "a..b=1", "-a.b=1", "a.b=1\n", "a.b=\t1", "A.b=1", "a.B=1", "a.b=$(c)", "a.b=-1",
	"net.c\u043ere.x=1", "a.b=a+b/c:d,e",
	"net.ipv4.conf.eth0/100.forwarding=1", "net.ipv4.conf.eth0.100.forwarding=1", "net.core.a/b=1", "a.b>=1",
	"-net.ipv6.x=1",
	"a.b=1\nc.d=2", "a.b=1\r", "# a.b=1", "a.b-c=1", "a-b.c=1", "net.core.somaxconn>=1024",
	"-net.netfilter.nf_conntrack_buckets>=1",
	"net.core.somaxconn>>=1", "--a.b=1", "a.b>=x", "a.b<=1", "-=1", ">=1", "a.b>1", "a.b=+0", "a.b=:0",
}

// FuzzArgument holds the form of an argument to the parser: the guard admits what the webhook writes, and nothing
// else.
func FuzzArgument(f *testing.F) {
	fuzzArgument(f, plain)
}

// FuzzScriptArgument does the same for what a script takes.
func FuzzScriptArgument(f *testing.F) {
	fuzzArgument(f, scripted)
}

func fuzzArgument(f *testing.F, command *Command) {
	argument := regexp.MustCompile(command.Argument)
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		assignments, problems := sysctl.Parse(text, field.NewPath("argument"))
		read := len(problems) == 0 && len(assignments) == 1
		written := read && command.does(assignments[0]) && assignments[0].String() == text
		// As the guard takes it apart.
		name, value, _ := strings.Cut(text, "=")
		if command == scripted {
			name = strings.TrimSuffix(strings.TrimPrefix(name, "-"), ">")
		}
		matched := argument.MatchString(text) && len(name) <= sysctl.MaxNameLength &&
			len(value) <= sysctl.MaxValueLengthOf(name)
		if written && !matched {
			t.Errorf("%q: the parser writes it, and the guard does not admit it", text)
		}
		// The guard does not know in which word a slash may be, which names may be missing, or what a floor is
		// compared with. Every argument that it admits stays below /proc/sys, and the scripts run no part of it.
		canonical, err := sysctl.ParseName(name)
		differs := strings.Contains(name, "/") || err == nil && canonical != name || command == scripted && !read
		if matched && !written && (!differs ||
			path.Join("/proc/sys", sysctl.Path(name)) != "/proc/sys/"+sysctl.Path(name)) {
			t.Errorf("%q: the guard admits it, and the parser does not write it", text)
		}
	})
}
