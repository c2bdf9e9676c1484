package guard_test

import (
	"fmt"
	"strings"
)

// arguments are attempts to make the command do more than set the granted sysctls.
var arguments = []argumentsRow{
	{"none", nil},
	{"an empty one", []string{""}},
	{"a name alone, which would print it", []string{"net.core.somaxconn"}},
	{"no value", []string{"net.core.somaxconn="}},
	{"no name", []string{"=1"}},
	{"-p and a file", []string{"-p", "/etc/passwd"}},
	{"-p", []string{"-p=1"}},
	{"-q before", []string{"-q", "net.core.somaxconn=1"}},
	{"-q after", []string{"net.core.somaxconn=1", "-q"}},
	{"-w again", []string{"-w", "net.core.somaxconn=1"}},
	{"-e", []string{"-e", "net.core.somaxconn=1"}},
	{"-a", []string{"-a"}},
	{"-n", []string{"-n", "net.core.somaxconn=1"}},
	{"--system", []string{"--system"}},
	{"--", []string{"--", "net.core.somaxconn=1"}},
	{"a name that looks like an option", []string{"-net.core.somaxconn=1"}},
	{"slashes", []string{"net/core/somaxconn=1"}},
	{"a path out of /proc/sys", []string{"kernel/../../../tmp/x=1"}},
	{"a path out of /proc/sys in dots", []string{"kernel........tmp.x=1"}},
	{"a path out of /proc/sys between dots", []string{"net.core./../x=1"}},
	{"an absolute path", []string{"/proc/sys/kernel/core_pattern=x"}},
	{"two dots", []string{"net..core.somaxconn=1"}},
	{"a dot before", []string{".net.core.somaxconn=1"}},
	{"a dot after", []string{"net.core.somaxconn.=1"}},
	{"one word", []string{"somaxconn=1"}},
	{"capitals in the first word", []string{"Net.core.somaxconn=1"}},
	{"a letter that looks the same", []string{"net.\u0441ore.somaxconn=1"}},
	{"a dot that looks the same", []string{"net\uff0ecore.somaxconn=1"}},
	{"an equals sign that looks the same", []string{"net.core.somaxconn\uff1d1"}},
	{"a letter without width", []string{"net.core.\u200bsomaxconn=1"}},
	{"a letter from right to left", []string{"\u202enet.core.somaxconn=1"}},
	{"a blank before the name", []string{" net.core.somaxconn=1"}},
	{"blanks around the equals sign", []string{"net.core.somaxconn = 1"}},
	{"a blank before the value", []string{"net.core.somaxconn= 1"}},
	{"a blank after the value", []string{"net.core.somaxconn=1 "}},
	{"two blanks in the value", []string{"net.ipv4.ip_local_port_range=1  2"}},
	{"a tab in the value", []string{"net.ipv4.ip_local_port_range=1\t2"}},
	{"two equals signs", []string{"net.core.somaxconn==1"}},
	{"an assignment in the value", []string{"net.core.somaxconn=1 kernel.sysrq=1"}},
	{"a line break, and another assignment", []string{"net.core.somaxconn=1\nkernel.sysrq=1"}},
	{"a line break at the end", []string{"net.core.somaxconn=1\n"}},
	{"a line break in front", []string{"\nnet.core.somaxconn=1"}},
	{"a carriage return", []string{"net.core.somaxconn=1\r"}},
	{"a shell's command", []string{"net.core.somaxconn=$(id)"}},
	{"a shell's other command", []string{"net.core.somaxconn=`id`"}},
	{"a shell's next command", []string{"net.core.somaxconn=1;id"}},
	{"a pipe, as in kernel.core_pattern", []string{"kernel.sem=|/tmp/x"}},
	{"a variable of the kubelet's", []string{"net.core.somaxconn=$(HOSTNAME)"}},
	{"a variable of the kubelet's in the name", []string{"$(NAME)=1"}},
	{"quotes", []string{`net.core.somaxconn="1"`}},
	{"a value that is too long", []string{"net.core.somaxconn=" + strings.Repeat("1", 257)}},
	{"a name that is too long", []string{"net." + strings.Repeat("a", 250) + "=1"}},
	{"a name twice", []string{"net.core.somaxconn=1", "net.core.somaxconn=2"}},
	{"a name twice, the same value", []string{"net.core.somaxconn=1", "kernel.sem=1 2 3 4", "net.core.somaxconn=1"}},
	{"seventeen", seventeen()},
	{"a bad one after a good one", []string{"net.core.somaxconn=1", "-p"}},
	{"a slash before an interface", []string{"net.ipv4.conf./eth0.forwarding=1"}},
	{"a slash after an interface", []string{"net.ipv4.conf.eth0/.forwarding=1"}},
	{"an interface of slashes, which would be dots", []string{"net.ipv4.conf.//.forwarding=1"}},
	{"a way out by an interface of slashes", []string{"net.ipv4.conf.//.//.//.//.//.tmp.x=1"}},
	{"two slashes in an interface", []string{"net.ipv4.conf.eth0//1.forwarding=1"}},
	{"a list of ports that is too long", []string{"net.ipv4.ip_local_reserved_ports=" + strings.Repeat("1", 4096)}},
	{"a value that only a list of ports may have",
		[]string{"net.ipv4.ip_local_reserved_port=" + strings.Repeat("1", 257)}},
}

type argumentsRow struct {
	name string
	args []string
}

func (r argumentsRow) want() string {
	// An assignment within a value holds a second "=", which no value may.
	return standard(differsIn("args"), oursIsUnconfined, oursIsPrivileged)
}

func seventeen() []string {
	var args []string
	for n := range 17 {
		args = append(args, fmt.Sprintf("net.core.x%d=1", n))
	}
	return args
}
