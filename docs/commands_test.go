package docs_test

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app"
	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// program is the name under which this test is the program itself, for shells that run the pages' commands.
const program = "sysctl-injector"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(app.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// known are the other programs that the pages call.
var known = []string{
	"apt-get", "base64", "cat", "cd", "cmp", "cosign", "crane", "ctr", "curl", "echo", "exec", "export", "gh", "git",
	"grep", "helm", "kubectl", "kustomize",
	"ln", "mkdir", "sha256sum", "skopeo", "tar",
}

// Every command of a page is one: the shell reads it, the program has its flags, the Makefile its target, the
// checkout its package.
func TestCommandsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for name, page := range pages(t) {
		for _, block := range transcript.Blocks(page) {
			for _, command := range block.Commands() {
				calls, err := command.Calls()
				if err != nil {
					t.Errorf("%s:%d: %v", name, command.Line, err)
				}
				for _, words := range calls {
					read++
					if problem := problemOf(words, string(makefile)); problem != "" {
						t.Errorf("%s:%d: %s: %s", name, command.Line, strings.Join(words, " "), problem)
					}
				}
			}
		}
	}
	if read < 100 {
		t.Errorf("the pages have %d commands", read)
	}
}

// problemOf says what is wrong with a command.
func problemOf(words []string, makefile string) string {
	if len(words) > 1 && words[0] == "kubectl" && words[1] == program { // as a plugin
		words = words[1:]
	}
	name, args := words[0], words[1:]
	switch {
	case name == program:
		var problem strings.Builder
		if app.Run(append(args, "--help"), strings.NewReader(""), io.Discard, &problem) != 0 {
			return problem.String()
		}
	case name == "make":
		for _, target := range args {
			if !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
				return "the Makefile has no target " + target
			}
		}
	case name == "go":
		for _, arg := range args {
			path := strings.TrimSuffix(strings.TrimSuffix(arg, "/..."), "/")
			if _, err := os.Stat(filepath.Join(root, path)); strings.HasPrefix(arg, "./") && err != nil {
				return "there is no " + path
			}
		}
	case !slices.Contains(known, name):
		return "no such program is known"
	}
	return ""
}

// offline are the pages whose consoles run here, with the files that they speak of: the nth block of YAML on the
// page, or a text.
var offline = map[string]map[string]any{
	"docs/companion.md": {"ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"},
	"docs/concepts.md":  nil,
	"docs/convert.md":   nil,
	"docs/inject.md": {
		"manifests/search.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: semaphores\n  annotations:\n    sysctl-injector.dev/sysctls: vm.max_map_count = 262144\nspec:\n  containers: [{name: app, image: app}]\n",
	},
	"docs/policies.md": {
		"policies/web.yaml": 0,
		"bad.yaml": `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlPolicy
metadata: {name: bad}
spec: {allow: [{names: [net.*.x, somaxconn], kernels: [Host], min: 5, max: 1}]}
`,
	},
}

// elsewhere names the test that shows what the consoles of a page show of a cluster.
var elsewhere = map[string]string{
	"docs/audit.md":           "TestAudit",
	"docs/check.md":           "TestHealthy",
	"docs/companion.md":       "TestFirstPod",
	"docs/enroll.md":          "TestFromRestrictedToTheFirstInjectedPod",
	"docs/getting-started.md": "TestGettingStarted",
	"docs/observability.md":   "TestEventsAtTheDeployment",
	"docs/policies.md":        "TestPoliciesAtTheTerminal",
	"docs/troubleshooting.md": "TestWarningsAboutWorkloads",
}

var update = flag.Bool("update", false, "rewrite what the consoles print")

// Every console shows what its commands print; -update writes it.
func TestConsoles(t *testing.T) {
	for name, page := range pages(t) {
		consoles := slices.DeleteFunc(transcript.Blocks(page),
			func(block transcript.Block) bool { return block.Language != "console" })
		if len(consoles) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			files, isOffline := offline[name]
			if !isOffline {
				inSuite(t, elsewhere[name])
				return
			}
			dir, correct := workplace(t, page, files), page
			for _, block := range consoles {
				for _, command := range block.Commands() {
					if strings.HasPrefix(command.Text, "kubectl ") {
						inSuite(t, elsewhere[name])
						continue
					}
					printed := runConsole(t, dir, name, command)
					correct = strings.Replace(correct, "$ "+command.Text+command.Output, "$ "+command.Text+printed, 1)
				}
			}
			if *update && !t.Failed() {
				write(t, filepath.Join(root, name), correct)
			}
		})
	}
}

// inSuite checks that there is a test of that name in the suites.
func inSuite(t *testing.T, test string) {
	t.Helper()
	for _, content := range contents(t, ".go") {
		if test != "" && strings.Contains(content, "\nfunc "+test+"(t *testing.T) {") {
			return
		}
	}
	t.Errorf("no suite has the test %q, which shows what this page shows of a cluster", test)
}

// runConsole returns what a command prints.
func runConsole(t *testing.T, dir, page string, command transcript.Command) string {
	t.Helper()
	path := []string{filepath.Join(dir, ".bin"), os.Getenv("PATH")}
	if strings.HasPrefix(command.Text, "helm ") {
		helm, err := tools.Find("helm")
		if err != nil {
			t.Skipf("%s:%d: NOT RUN: %v", page, command.Line, err)
		}
		path = append(path, helm.Dir)
	}
	cmd := exec.Command("sh", "-c", command.Text)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+strings.Join(path, string(os.PathListSeparator)), "KUBECONFIG="+os.DevNull)
	output, err := cmd.CombinedOutput()
	if string(output) != command.Output && !*update {
		t.Errorf("%s:%d: %s%v; it prints\n%s\nand the page says\n%s", page, command.Line, command.Text, err, output,
			command.Output)
	}
	return string(output)
}

// workplace is a folder as a person has it who reads the page: the checkout, and the page's files.
func workplace(t *testing.T, page string, files map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"cmd", "deploy", "docs", "templates"} {
		link(t, filepath.Join(checkout, folder), filepath.Join(dir, folder))
	}
	link(t, self, filepath.Join(dir, ".bin", program))
	var manifests []string
	for _, block := range transcript.Blocks(page) {
		if block.Language == "yaml" {
			manifests = append(manifests, block.Text)
			if match := named.FindStringSubmatch(block.Text); match != nil {
				write(t, filepath.Join(dir, match[1]), block.Text)
			}
		}
	}
	for path, content := range files {
		if nth, isBlock := content.(int); isBlock {
			content = manifests[nth]
		}
		write(t, filepath.Join(dir, path), content.(string))
	}
	return dir
}

// named matches the name of a file at the beginning of its block.
var named = regexp.MustCompile(`^# ([a-z-]+\.yaml)\n`)

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
