package convert_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator generates random scripts that look like those of real containers. The same seed gives the same scripts.
type generator struct {
	*rand.Rand
	hasBash bool
	files   int
}

func (g *generator) pick(all ...string) string { return all[g.IntN(len(all))] }

// names are sysctls of a pod with values that every kernel, some kernels or no kernel accepts. None belongs to the
// node, because the scripts really run.
var names = map[string][]string{
	"net.core.somaxconn":                  {"128", "1024", "4096", "32768", "65535", "-1", "many"},
	"net.ipv4.tcp_max_syn_backlog":        {"256", "8192", "16384"},
	"net.ipv4.tcp_fin_timeout":            {"5", "15", "30", "60"},
	"net.ipv4.tcp_keepalive_time":         {"60", "600", "7200"},
	"net.ipv4.tcp_keepalive_intvl":        {"10", "75"},
	"net.ipv4.tcp_keepalive_probes":       {"3", "9", "300"},
	"net.ipv4.tcp_tw_reuse":               {"0", "1", "7"},
	"net.ipv4.tcp_retries2":               {"5", "8", "15", "256"},
	"net.ipv4.tcp_syncookies":             {"0", "1"},
	"net.ipv4.ip_local_port_range":        {"1024 65000", "1024\t65535", "15000  61000", "9000 8000"},
	"net.ipv4.ip_unprivileged_port_start": {"0", "80", "1024"},
	"net.ipv4.tcp_rmem":                   {"4096 87380 6291456", "8192 131072 16777216", "4096 87380"},
	"net.ipv4.ip_forward":                 {"0", "1"},
	"net.ipv4.conf.all.rp_filter":         {"0", "1", "2"},
	"net.ipv4.conf.default.rp_filter":     {"0", "1", "2"},
	"net.ipv4.conf.all.accept_redirects":  {"0", "1"},
	"net.ipv4.conf.lo.forwarding":         {"0", "1"},
	"net.ipv6.conf.all.forwarding":        {"0", "1"},
	"net.ipv6.conf.default.accept_ra":     {"0", "2"},
	"net.core.netdev_max_backlog":         {"5000"},
	"net.core.rmem_max":                   {"16777216"},
	"net.ipv4.tcp_tw_recycle":             {"1"},
	"net.ipv4.udp_rmem_min":               {"8192", "0"},
	"net.ipv4.tcp_max_tw_buckets":         {"65536", "1440000"},
	"net.ipv4.tcp_autocorking":            {"0", "1", "300"},
	"net.ipv4.conf.all.arp_announce":      {"0", "1", "2"},
	"fs.mqueue.msg_max":                   {"10", "256", "0"},
	"net.ipv4.tcp_tw_reuse_delay":         {"2000"},
	"kernel.sem":                          {"250 32000 100 128", "250 256000 32 1024"},
	"kernel.msgmax":                       {"8192", "65536"},
	"kernel.msgmni":                       {"1024", "32000"},
	"kernel.shmmni":                       {"4096", "8192"},
	"kernel.shm_rmid_forced":              {"0", "1"},
	"kernel.shmmax":                       {"1073741824"},
}

var sortedNames = sorted(names)

func (g *generator) assignment() (name, value string) {
	name = g.pick(sortedNames...)
	values := names[name]
	if g.IntN(4) > 0 && len(values) > 2 {
		values = values[:len(values)-1] // usually a value that the kernel accepts
	}
	return name, g.pick(values...)
}

func (g *generator) spelled(name string) string {
	if g.IntN(8) == 0 {
		return strings.ReplaceAll(name, ".", "/")
	}
	return name
}

func (g *generator) word(name, value string) string {
	text := g.spelled(name) + "=" + value
	if strings.ContainsAny(value, " \t") || g.IntN(4) == 0 {
		return g.pick(`"`+text+`"`, "'"+text+"'", g.spelled(name)+`="`+value+`"`)
	}
	return text
}

func file(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// script writes a whole script.
func (g *generator) script() string {
	var b strings.Builder
	if g.IntN(3) == 0 {
		b.WriteString(g.pick("set -e\n", "set -ex\n", "set -eu; ", "set -o errexit\n"))
	}
	for n := 1 + g.IntN(4); n > 0; n-- {
		b.WriteString(g.statement(2))
		b.WriteString(g.pick("\n", "\n", "; ", "\n# why\n"))
	}
	if g.IntN(4) == 0 {
		b.WriteString(g.pick("true\n", "exit 0\n", "echo done\n", "exit\n", "set +e\n"))
	}
	return b.String()
}

func (g *generator) statement(depth int) string {
	if depth == 0 || g.IntN(3) > 0 {
		return g.simple()
	}
	inner := func() string { return g.statement(depth - 1) }
	switch g.IntN(16) {
	case 0:
		return inner() + " && " + inner()
	case 1:
		return inner() + " || " + g.pick("true", "echo failed", "exit 1", ":", inner())
	case 2:
		return "( " + inner() + "; " + inner() + " )"
	case 3:
		return "{ " + inner() + "; " + inner() + "; }"
	case 4:
		return "if " + g.pick("true", "false", "! false", "[ 3 -gt 2 ]", `[ -n "" ]`) + "; then " + inner() +
			"; else " + inner() + "; fi"
	case 5:
		return g.loop()
	case 6:
		return "! " + g.simple()
	case 7:
		return "if " + g.pick("true", "false", "! true") + "; then " + inner() + "; elif " + g.question() + "; then " +
			inner() + "; fi"
	case 8:
		return g.question() + g.pick(" && ", " || ") + "{ " + inner() + "; }"
	case 9:
		return "( " + g.pick("set -e; ", "set +e; ", "exit 3; ", "") + inner() +
			g.pick("", "; exit 0", "; exit 1", "; false") + " )" + g.pick("", " || true", " && true")
	case 10:
		return inner() + g.pick(" && ", " || ") + inner() + g.pick(" && ", " || ") + inner()
	default:
		return g.raise()
	}
}

func (g *generator) loop() string {
	var words []string
	for range 1 + g.IntN(3) {
		words = append(words, g.word(g.assignment()))
	}
	return "for one in " + strings.Join(words, " ") + `; do sysctl -w "$one"; done`
}

// simple writes one command.
func (g *generator) simple() string {
	name, value := g.assignment()
	redirect := g.pick(" > ", ">", " >> ")
	switch g.IntN(22) {
	case 0, 1, 2:
		return "sysctl " + g.pick("-w ", "-w ", "-qw ", "-q -w ", "-e -w ", "") + g.word(name, value) +
			g.pick("", "", " > /dev/null", " >/dev/null 2>&1")
	case 3:
		return "sysctl -w " + g.word(name, value) + " " + g.word(g.assignment())
	case 4, 5:
		return "echo " + g.pick(`"`+value+`"`, value) + redirect + file(name)
	case 6:
		return `echo "` + value + `" | tee ` + g.pick("", "-a ") + file(name) + g.pick("", " > /dev/null")
	case 7:
		return "printf " + g.pick("'%s\\n' '"+value+"'", "'"+value+"'", `"%s" "`+value+`"`) + redirect + file(name)
	case 8:
		return "cat <<" + g.pick("EOF", "'EOF'") + redirect + file(name) + "\n" + value + "\nEOF\n:"
	case 9, 10:
		return g.config()
	case 11:
		return "V=" + "'" + value + "'\n" + "sysctl -w " + name + `="$V"`
	case 12:
		return "N=" + name + " V='" + value + "'; sysctl -w \"${N}=${V:-5}\""
	case 13:
		return g.pick("true", "echo tuning", "sleep 0", ":", "sysctl -n "+name+" > /dev/null",
			"cat "+file("net.core.somaxconn"))
	case 16:
		return "export V='" + value + "'; sysctl -w " + name + `="$V"`
	case 17:
		return "readonly R" + fmt.Sprint(g.next()) + "=1; sysctl -e -q -w " + g.word(name, value)
	case 18:
		return "echo '" + value + "' | tee " + file(name) + " " + file(g.pick(sortedNames...)) + " > /dev/null"
	case 19:
		return g.oneOf("tee "+file(name)+" <<< '"+value+"' > /dev/null",
			"printf '%s %s\\n' "+value+" ''"+redirect+file(name))
	case 20:
		return g.pick("id -u", "date", "ulimit -n", "command -v sysctl > /dev/null", "nproc", "umask 022") +
			g.pick("; ", " && ", " > /dev/null; ") +
			"sysctl -w " + g.word(name, value)
	case 21:
		return "sysctl " + g.word(name, value) + " 2>&1 > /dev/null" + g.pick("", " || exit 4", " || false")
	case 14:
		return fmt.Sprintf("sysctl -w net.core.somaxconn=$((%d * 1024))", 1+g.IntN(64))
	default:
		return "sysctl -w " + g.word(name, value) + " 2>/dev/null || true"
	}
}

// oneOf returns a text for bash, or one for every shell.
func (g *generator) oneOf(bash, others string) string {
	if g.hasBash {
		return bash
	}
	return others
}

// question writes a command for a condition.
func (g *generator) question() string {
	name := g.pick(sortedNames...)
	return g.pick("true", "false", "[ -e "+file(name)+" ]", "[ -w "+file(name)+" ]", "test -f "+file(name),
		"sysctl -n "+name+" > /dev/null 2>&1", "[ 4 -ge 3 ]",
		`[ "a" = "b" ]`, `[ -z "" ]`, "[ 3 < 5 ]", "[ ! -n x ]", "sysctl -w "+g.word(g.assignment()), `[ "" -lt 5 ]`,
		"test 1 -eq 1", "id -u > /dev/null")
}

// next returns a number that is used only once.
func (g *generator) next() int {
	g.files++
	return g.files
}

// config writes a file and loads it.
func (g *generator) config() string {
	name := fmt.Sprintf("/tmp/convert-%d.conf", g.next())
	var lines []string
	for range 1 + g.IntN(3) {
		n, value := g.assignment()
		lines = append(lines,
			g.pick(n+" = "+value, n+"="+value, "  "+n+" =   "+value+"  ", "# a comment\n"+n+"="+value))
	}
	content := strings.Join(lines, "\n")
	switch g.IntN(3) {
	case 0:
		return "cat > " + name + " <<'EOF'\n" + content + "\nEOF\nsysctl " +
			g.pick("-p ", "-q -p ", "-qp ", "-e -p ") + name
	case 1:
		return "sysctl -p - <<EOF\n" + content + "\nEOF\n:"
	default:
		return "echo '" + content + "' > " + name + " && sysctl -p " + name + " > /dev/null"
	}
}

// raise writes a command that depends on the current value.
func (g *generator) raise() string {
	name := g.pick("net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_time", "kernel.msgmax")
	limit := 1 + g.IntN(9000)
	set := limit
	if g.IntN(8) == 0 {
		set += g.IntN(3) - 1
	}
	value := g.pick("$(sysctl -n "+name+")", "$(cat "+file(name)+")", "`sysctl -n "+name+"`",
		"$(sysctl "+name+" | awk '{print $3}')")
	write := g.pick(fmt.Sprintf("sysctl -w %s=%d", name, set), fmt.Sprintf("echo %d > %s", set, file(name)))
	lower := fmt.Sprintf(g.pick(`[ "%s" -lt %d ]`, `test %s -lt %d`, `[ %s -lt %d ]`), value, limit)
	higher := fmt.Sprintf(g.pick(`[ "%s" -ge %d ]`, `test %s -ge %d`), value, limit)
	if g.hasBash && g.IntN(3) == 0 {
		lower = fmt.Sprintf(g.pick("[[ %s -lt %d ]]", "(( %s < %d ))"), value, limit)
	}
	switch g.IntN(8) {
	case 0:
		return lower + " && " + write
	case 1:
		return higher + " || " + write
	case 2:
		return "if " + higher + "; then echo fine; else " + write + "; fi"
	case 3:
		return fmt.Sprintf("HAVE=%s\nWANT=%d\nif [ \"$WANT\" -gt \"$HAVE\" ]; then %s; fi", value, limit, write)
	case 4:
		return fmt.Sprintf(`if [ "%s" -ne %d ]; then %s; fi`, value, limit, write)
	case 5:
		return fmt.Sprintf(`if [ "%s" != "%d" ]; then %s; fi`, value, limit, write)
	default:
		return "if " + lower + "; then " + write + "; fi"
	}
}

func sorted(all map[string][]string) []string { return slices.Sorted(maps.Keys(all)) }
