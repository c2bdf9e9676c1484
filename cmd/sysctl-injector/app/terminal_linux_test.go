package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a pseudo-terminal: what a program writes to screen, a person sees at person.
func openTerminal(t *testing.T) (person *bufio.Reader, screen *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	return bufio.NewReader(master), screen
}

// shown runs a command whose output and errors go to a terminal, and returns what the terminal receives.
func shown(t *testing.T, in string, args ...string) string {
	t.Helper()
	const end = "end of the command\n"
	person, screen := openTerminal(t)
	received := make(chan string)
	go func() {
		var all strings.Builder
		for !strings.HasSuffix(all.String(), end) {
			line, err := person.ReadString('\n')
			all.WriteString(strings.ReplaceAll(line, "\r\n", "\n")) // the terminal driver adds the \r
			if err != nil {
				break
			}
		}
		received <- all.String()
	}()
	Run(args, strings.NewReader(in), screen, screen)
	if _, err := screen.WriteString(end); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(<-received, end)
}

const hostile = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"a\\e[2J\\x07\"\n  annotations:\n" +
	"    sysctl-injector.dev/sysctls: \"net.ipv4.tcp_syncookies = 1\"\n" +
	"    # \u202ea\n" + "spec:\n  containers: [{name: a\x7f, image: b}]\n"

func TestNoCommandSendsEscapesOfAFileToATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	dir := t.TempDir()
	named := dir + "/a\x1b[2J\nerror: .yaml"
	if err := os.WriteFile(named, []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	rejected := strings.ReplaceAll(strings.ReplaceAll(hostile, "net.ipv4.tcp_syncookies", "vm.swappiness"), "\x7f", "")
	for _, args := range [][]string{
		{"inject", "-f", "-"},
		{"inject", "-f", "-", "-o", "json"},
		{"inject", "-f", "-", "-o", "diff"},
		{"inject", "-f", dir, "-o", "diff"},
		{"companion", "-f", "-"},
		{"companion", "-f", dir},
		{"explain", "kernel.sem", "--policy", "-"},
		{"explain", "\x1b[2J"},
		{"\x1b[2J"},
	} {
		for _, in := range []string{hostile, strings.ReplaceAll(hostile, "\x7f", ""), rejected, "kind: \x1b[2J",
			"\"a\\e[2J\": 1\n\"a\\e[2J\": 1\n"} {
			got := shown(t, in, args...)
			for _, color := range []string{red, green, cyan, reset} {
				got = strings.ReplaceAll(got, color, "")
			}
			if at := strings.IndexAny(got, "\x00\x07\x1b\x7f\u009b\u202e"); at >= 0 {
				t.Errorf("%q: the terminal receives %q", args, got[at:min(len(got), at+20)])
			}
			if strings.Contains(got, "\nerror: .yaml") {
				t.Errorf("%q: the name of a file makes up a line:\n%s", args, got)
			}
		}
	}
}

func TestATerminalShowsWhatIsEscaped(t *testing.T) {
	t.Setenv("TERM", "dumb")
	got := shown(t, strings.ReplaceAll(hostile, "\x7f", ""), "inject", "-f", "-", "-o", "diff")
	const want = `Warning: standard input: line 1: Pod "a\x1b[2J\a": net.ipv4.tcp_syncookies:`
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "\n     # \\u202ea\n") {
		t.Errorf("got\n%s", got)
	}
	t.Setenv("TERM", "xterm")
	metadata, _, _ := strings.Cut(hostile, "    #")
	if got := shown(t, metadata+"spec: {}\n", "inject", "-f", "-", "-o", "diff"); !strings.Contains(got, green+"+  labels:") {
		t.Errorf("no colors in\n%q", got)
	}
}

// What goes to a file or a pipe is for a program: every byte stays.
func TestAPipeGetsEveryByte(t *testing.T) {
	in := strings.ReplaceAll(hostile, "\x7f", "")
	code, out, _ := run(t, in, "inject", "-f", "-")
	if code != 0 || !strings.Contains(out, "    # \u202ea\n") {
		t.Errorf("got %d\n%q", code, out)
	}
}
