package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// named is a pod with a name.
func named(name string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + name + "\nspec:\n  containers: []\n"
}

// Manifests are named as with kubectl.
func TestFilesAsWithKubectl(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"a.yaml": named("a"), "b.yaml": named("b"),
		"c.json":                  `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}, "spec": {}}`,
		"base/kustomization.yaml": "namePrefix: of-\nresources: [pod.yaml]\n", "base/pod.yaml": named("kustomization"),
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("base", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	files := http.NewServeMux()
	files.HandleFunc("/pod.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(named("far"))) })
	server := httptest.NewServer(files)
	defer server.Close()
	in := func(name string) string { return filepath.Join(folder, name) }
	a, b := in("a.yaml"), in("b.yaml")
	for _, tt := range []struct {
		name   string
		args   []string
		pods   []string
		errOut string // all of it, where the command fails
	}{
		{"a list", []string{"-f", a + "," + b}, []string{"a", "b"}, ""},
		{"a flag twice", []string{"-f", b, "-f", a}, []string{"b", "a"}, ""},
		{"a pattern", []string{"-f", in("*.yaml")}, []string{"a", "b"}, ""},
		{"arguments", []string{a, in("c.json")}, []string{"a", "c"}, ""},
		{"arguments after a flag", []string{"-f", b, a}, []string{"b", "a"}, ""},
		{"a link to a directory", []string{"-f", in("link")}, []string{"kustomization"}, ""},
		{"a file twice", []string{"-f", a, "-f", in("base/../a.yaml"), "-f", in("*.yaml"), b}, []string{"a", "b"}, ""},
		{"a file and a link to it", []string{"-f", in("link"), "-f", in("base/pod.yaml")},
			[]string{"kustomization"}, ""},
		{"an address", []string{"-f", server.URL + "/pod.yaml"}, []string{"far"}, ""},
		{"a kustomization", []string{"-k", in("base")}, []string{"of-kustomization"}, ""},
		{"an address that leads nowhere", []string{"-f", server.URL + "/none.yaml"}, nil,
			"error: -f: read " + server.URL + "/none.yaml: the server answers 404 Not Found\n"},
		{"a pattern that matches nothing", []string{"-f", in("*.txt")}, nil,
			"error: -f: \"" + in("*.txt") + "\" matches no file\n"},
		{"a policy that is not there", []string{"-f", a, "--policy", "none.yaml"}, nil,
			"error: --policy: the path \"none.yaml\" does not exist\n"},
		{"a file that is not there", []string{"none.yaml"}, nil, "error: the path \"none.yaml\" does not exist\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, command := range []string{"inject", "convert"} {
				code, out, errOut := run(t, "", append([]string{command}, tt.args...)...)
				if tt.errOut != "" {
					if code != 1 || errOut != tt.errOut {
						t.Errorf("%s: exit code %d, %q, want %q", command, code, errOut, tt.errOut)
					}
					continue
				}
				if code != 0 {
					t.Errorf("%s: exit code %d: %s", command, code, errOut)
				}
				if diff := cmp.Diff(tt.pods, names(out)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", command, diff)
				}
			}
		})
	}
	if code, _, errOut := run(t, "", "convert", "--in-place", "-k", in("base")); code != 2 ||
		!strings.HasPrefix(errOut, "error: --in-place writes files: ") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

// Each file may start with a byte order mark. What inject prints is a manifest again.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\uFEFF"
	asking := func(name string) string {
		return strings.Replace(named(name), "  name: "+name+"\n", "  name: "+name+
			"\n  annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}\n", 1)
	}
	folder := t.TempDir()
	for name, content := range map[string]string{
		"a.yaml": mark + asking("a"), "b.yaml": mark + asking("b"), "c.yaml": mark + "---\n" + asking("c"),
		"d.yaml": asking("d") + "---\n" + mark + asking("e"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, once, errOut := run(t, "", "inject", "-f", folder)
	if code != exitDone || strings.Count(once, "injected: \"true\"") != 5 {
		t.Fatalf("exit code %d, %s\n%s", code, errOut, once)
	}
	if strings.Count(once, mark) != 2 || !strings.HasPrefix(once, mark) || !strings.Contains(once, "---\n"+mark) {
		t.Errorf("the marks of the first file and of its later documents stay, and no other:\n%q", once)
	}
	code, twice, errOut := run(t, once, "inject", "-f", "-")
	if diff := cmp.Diff(once, twice); code != exitDone || diff != "" {
		t.Errorf("exit code %d, %s (-once +twice):\n%s", code, errOut, diff)
	}
}

// names are those of the pods in an output.
func names(out string) []string {
	var found []string
	for line := range strings.Lines(out) {
		if _, name, ok := strings.Cut(line, "name: "); ok && !strings.Contains(line, "{") {
			found = append(found, strings.TrimSpace(name))
		} else if _, name, ok := strings.Cut(line, `"name": "`); ok {
			name, _, _ = strings.Cut(name, `"`)
			found = append(found, name)
		}
	}
	return found
}

// The program itself offers the completions of a shell.
func TestCompletion(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	const content = "apiVersion: v1\nkind: Config\ncontexts:\n- {name: test, context: {cluster: a, user: a}}\n" +
		"- {name: production, context: {cluster: b, user: b}}\n"
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	for _, tt := range []struct{ args, out string }{
		{"status --context ", "production\ntest\n:4\n"},
		{"status -o ", "table\nwide\njson\n:4\n"},
		{"explain net.ipv4.tcp_syncook", "net.ipv4.tcp_syncookies\n:4\n"},
		{"explain kernel.s",
			"kernel.sem\nkernel.shm_next_id\nkernel.shm_rmid_forced\nkernel.shmall\nkernel.shmmax\n" +
				"kernel.shmmni\n:4\n"},
		{"explain net.ip", "net.ipv4.\nnet.ipv6.\n:6\n"},
		{"enroll --enforce r", "baseline\nrestricted\nprivileged\n:4\n"},
	} {
		_, out, errOut := run(t, "", append([]string{"__complete"}, strings.Split(tt.args, " ")...)...)
		if diff := cmp.Diff(tt.out, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s%s", tt.args, diff, errOut)
		}
	}
}

// A user, a password and the query of a URL may be secret. No message has them.
func TestMessagesHaveNoSecretsOfURLs(t *testing.T) {
	files := http.NewServeMux()
	files.HandleFunc("/pod.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(named("far"))) })
	files.HandleFunc("/broken.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a: [")) })
	files.HandleFunc("/moved.yaml", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://moved-secret@127.0.0.1:1/?q=secret", http.StatusFound)
	})
	server := httptest.NewServer(files)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tt := range []struct{ address, errOut string }{
		{"token-secret:secret@" + host + "/pod.yaml?X-Amz-Signature=secret#secret",
			"http://" + host + "/pod.yaml: line 1: Pod \"far\": "},
		{"user:secret@" + host + "/broken.yaml?key=secret", "error: http://" + host + "/broken.yaml: line 2: "},
		{"user:secret@" + host + "/none.yaml?key=secret",
			"error: -f: read http://" + host + "/none.yaml: the server answers 404 Not Found\n"},
		{"user:secret@" + host + "/moved.yaml?key=secret",
			"error: -f: read http://" + host + "/moved.yaml: dial tcp 127.0.0.1:1: "},
		{"user:secret@127.0.0.1:1/?key=secret", "error: -f: read http://127.0.0.1:1/: dial tcp 127.0.0.1:1: "},
		{"user:secret/%zz@" + host + "/pod.yaml", "error: -f: read a URL: it is not valid; "},
		{"user:sec%ret@" + host + "/pod.yaml", "error: -f: read a URL: it is not valid; "},
	} {
		_, out, errOut := run(t, "", "inject", "-f", "http://"+tt.address, "-o", "diff")
		if strings.Contains(out+errOut, "sec") || !strings.HasPrefix(errOut, tt.errOut) {
			t.Errorf("%s: %q, want %q", tt.address, out+errOut, tt.errOut)
		}
	}
}

// A directive of a later file, such as %YAML, follows "...". What inject prints is a manifest again, also for kubectl.
func TestFilesWithDirectives(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"a.yaml": "%YAML 1.1\n---\n" + named("a"), "b.yaml": "%YAML 1.1\n---\n" + named("b"),
		"c.yaml": "# third\n\n%YAML 1.1\n---\n" + named("c"), "d.yaml": named("d"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(folder, name) }
	code, once, errOut := run(t, "", "inject", "-f", folder)
	const directive = "%YAML 1.1\n---\n"
	want := directive + named("a") + "...\n" + directive + named("b") + "...\n# third\n\n" + directive + named("c") +
		"---\n" + named("d")
	if diff := cmp.Diff(want, once); code != exitDone || diff != "" {
		t.Fatalf("exit code %d, %s (-want +got):\n%s", code, errOut, diff)
	}
	code, twice, errOut := run(t, once, "inject", "-f", "-")
	if diff := cmp.Diff(once, twice); code != exitDone || diff != "" {
		t.Errorf("exit code %d, %s (-once +twice):\n%s", code, errOut, diff)
	}
	_, out, _ := run(t, "", "inject", "-f", in("d.yaml"), "-f", in("b.yaml"))
	reader := yaml.NewYAMLOrJSONDecoder(strings.NewReader(out), 4096) // kubectl's
	for _, name := range []string{"d", "b"} {
		var pod metav1.PartialObjectMetadata
		if err := reader.Decode(&pod); err != nil || pod.Name != name {
			t.Errorf("kubectl reads %q instead of %q: %v", pod.Name, name, err)
		}
	}
}

// Files, standard input and URLs count for the limit of one flag.
func TestEveryManifestCountsForTheLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(path, []byte(named("a")), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(path))))
	defer server.Close()
	for _, name := range []string{path, "-", server.URL + "/pod.yaml"} {
		left := int64(len(named("a")))
		if files, err := readNamed(t.Context(), name, strings.NewReader(named("a")), &left); err != nil ||
			len(files) != 1 || left != 0 {
			t.Errorf("%s: %d files, %d bytes left: %v", name, len(files), left, err)
		}
		if _, err := readNamed(t.Context(), name, strings.NewReader(named("a")), &left); err == nil ||
			!strings.HasSuffix(err.Error(), "the manifests are larger than the limit of 536870912 bytes in all") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
