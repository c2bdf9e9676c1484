package templates_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// FuzzScripts runs the scripts with random arguments in a separate root directory. SetScript may only change existing
// files below /proc/sys: it must not run an argument, follow it out of /proc/sys, or create a file. VerifyScript must
// not change anything.
func FuzzScripts(f *testing.F) {
	busybox, err := os.ReadFile(needBusybox(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"net.core.somaxconn=1", "net.core.somaxconn>=4096", "-net.ipv6.x=1", "-net.ipv6.x>=1",
		"net.ipv4.conf.eth0/100.forwarding=1",
		"net/ipv4/conf/eth0.100/forwarding=1", "net.ipv4.tcp_rmem>=1 2 3",
		"net.ipv4.tcp_rmem>=9999 1 18446744073709551616", "net.core.somaxconn>=-1",
		"kernel/../../canary=1", "kernel.../canary=1", "../canary=1", "/canary=1", "net.core.....canary=1",
		"a//b/canary=1", ".=1", "/=1", "=1", "", "-", "--", ">=",
		"net.core=1", "net.core.=1", "net=1", "net.core.*=1", "net.core.somaxcon?=1", "net.core.somaxconn=*",
		"net.core.somaxconn=$(touch /canary2)",
		"net.core.somaxconn=`touch /canary2`", "net.core.somaxconn=1;touch /canary2", "$(touch /canary2)=1",
		"net.core.somaxconn=1\nx", "net.core\n.x=1",
		"net.core.somaxconn=-n", "net.core.somaxconn=-e", "net.core.somaxconn=\\0101", "net.core.somaxconn>=\\",
		"net.core.somaxconn>=a[$(touch /canary2)]",
		"net.core.somaxconn>=1 ", "net.core.somaxconn>= 1", "net.core.somaxconn>=  ", "net.core.somaxconn>=0x10",
		"net.core.somaxconn>=1+1", "kernel.link=1",
		"-e", "-c", "-n", "net.core.somaxconn=\xff", "net.c\u043ere.somaxconn=1", "kernel.sem=\"1\"", "kernel.sem='1'",
		"net.core.somaxconn==1", "net.core.somaxconn>>=1",
	} {
		f.Add(seed)
	}
	root := newRoot(f, busybox)
	before := read(f, root)
	f.Fuzz(func(t *testing.T, argument string) {
		if strings.Contains(argument, "\x00") || len(argument) > 8192 {
			t.Skip("the argument is too long, or has a NUL")
		}
		for name, script := range map[string]string{"set": templates.SetScript, "verify": templates.VerifyScript} {
			cmd := exec.Command("/bin/sh", "-ec", script, "sysctl-injector", argument, argument)
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
			cmd.Env, cmd.Dir = []string{"PATH=/bin"}, "/"
			output, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
				t.Errorf("%s %q: %v\n%s", name, argument, err, output)
			}
			after := read(t, root)
			for file, content := range before {
				if strings.HasPrefix(file, "proc/sys/") && name == "set" {
					if after[file] != content {
						write(t, filepath.Join(root, file), content)
					}
					delete(after, file)
				} else if after[file] == content {
					delete(after, file)
				}
			}
			if len(after) > 0 {
				t.Errorf("%s %q changed %v\n%s", name, argument, after, output)
			}
			understood := !strings.Contains(string(output), "this is no name of a sysctl") &&
				!strings.Contains(string(output), "is no value")
			if isWritten(argument) && !understood {
				t.Errorf("%s %q: the script rejects a valid assignment:\n%s", name, argument, output)
			}
		}
	})
}

// isWritten reports whether the webhook writes an argument. It excludes values such as "-n", which the shell's echo
// takes for an option, and which no sysctl accepts.
func isWritten(argument string) bool {
	if regexp.MustCompile(`=-[neE]`).MatchString(argument) {
		return false
	}
	assignments, problems := sysctl.Parse(argument, field.NewPath("argument"))
	return len(problems) == 0 && len(assignments) == 1 && assignments[0].String() == argument
}

// newRoot creates a root directory with busybox, some files that represent sysctls, and files that must not change.
func newRoot(t testing.TB, busybox []byte) string {
	root := t.TempDir()
	for _, applet := range []string{"sh", "cat"} {
		write(t, filepath.Join(root, "bin", applet), string(busybox))
		if err := os.Chmod(filepath.Join(root, "bin", applet), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		"canary": "x\n", "proc/canary": "x\n", "proc/sysx": "x\n", "etc/passwd": "x\n",
		"proc/sys/net/core/somaxconn":                  "128\n",
		"proc/sys/net/ipv4/tcp_rmem":                   "4096\t131072\t6291456\n",
		"proc/sys/net/ipv4/conf/eth0.100/forwarding":   "0\n",
		"proc/sys/kernel/shmmax":                       "18446744073692774399\n",
		"proc/sys/net/ipv4/tcp_congestion_control":     "cubic\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports":    "\n",
		"proc/sys/net/ipv6/conf/all/accept_ra_min_lft": "0\n",
	} {
		write(t, filepath.Join(root, name), content)
	}
	return root
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read returns the contents of all files below root.
func read(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		name, _ := filepath.Rel(root, file)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestScriptsAreConstants checks that the scripts have nothing that would interpret an argument, that YAML or CEL would
// escape, or that the kubelet would expand: $$ and $(VARIABLE).
func TestScriptsAreConstants(t *testing.T) {
	for name, script := range map[string]string{"set": templates.SetScript, "verify": templates.VerifyScript} {
		for _, forbidden := range []string{
			`\beval\b`, `\bexec\b`, `\bsource\b`, "`", `\$\(\(`, `\$\$`, `\$\([A-Za-z0-9_.-]*\)`, `\t`, `[^\n -~]`,
			`[ \t]\n`,
		} {
			if found := regexp.MustCompile(forbidden).FindString(script); found != "" {
				t.Errorf("%s.sh has %q", name, found)
			}
		}
		// The shell splits an unquoted expansion and expands patterns in it, except in an assignment and inside the
		// braces of another expansion.
		var bare []string
		for line := range strings.Lines(script) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") {
				continue
			}
			quoted := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(strings.ReplaceAll(line, `\"`, ""), "")
			assigned := regexp.MustCompile(`\b[a-z_]+=\$?[^ ]*`).ReplaceAllString(quoted, "")
			if regexp.MustCompile(`\$[a-z0-9{@*]`).MatchString(assigned) {
				bare = append(bare, line)
			}
		}
		if diff := cmp.Diff([]string(nil), bare); diff != "" {
			t.Errorf("%s.sh expands without quotes:\n%s", name, diff)
		}
	}
}
