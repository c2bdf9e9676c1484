package guard

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	guardtemplates "github.com/sysctl-injector/sysctl-injector/templates/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

var update = flag.Bool("update", false, "rewrite deploy/guard.yaml")

const manifest = "../../deploy/guard.yaml"

const header = `# Generated from templates/guard, templates/container.yaml and webhook/sysctl by
# ` + "`go test ./webhook/guard -update`" + `: do not edit.
# What the policies do, and where they hold, is told in webhook/guard/guard.go.
`

// config is what an installation has that changes nothing.
var config = Config{Images: []string{defaultImage()}, GuestHandlers: policy.DefaultGuestHandlers()}

func defaultImage() string {
	var container corev1.Container
	if err := yaml.UnmarshalStrict(templates.Container, &container); err != nil {
		panic(err)
	}
	return container.Image
}

func TestManifest(t *testing.T) {
	objects, err := Render(config)
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.NewBufferString(header)
	for _, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		delete(fields, "status")
		encoded, err := yaml.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(got, "---\n%s", encoded)
	}
	if *update {
		if err := os.WriteFile(manifest, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is not what is rendered; `go test ./webhook/guard -update` writes it (-file +rendered):\n%s", manifest, diff)
	}
}

func TestRenderNamesTheFieldAtFault(t *testing.T) {
	const label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric " +
		"character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
	for _, test := range []struct {
		name string
		Config
		want string
	}{
		{"refuses to go without an image", Config{}, "Images: Required value: without the init image's name no pod could be injected"},
		{"refuses an empty image", Config{Images: []string{"busybox", ""}}, `Images[1]: Invalid value: "": this is no image reference`},
		{"refuses an image with a blank", Config{Images: []string{"busybox x"}}, `Images[0]: Invalid value: "busybox x": this is no image reference`},
		{"refuses an image with a letter that looks like another", Config{Images: []string{"busyb\u043ex"}}, "Images[0]: Invalid value: \"busyb\u043ex\": this is no image reference"},
		{"refuses a handler that no RuntimeClass can have", Config{Images: config.Images, GuestHandlers: []string{"Kata"}}, `GuestHandlers[0]: Invalid value: "Kata": ` + label},
		{"tells of every field", Config{Images: []string{""}, GuestHandlers: []string{""}},
			`[Images[0]: Invalid value: "": this is no image reference, GuestHandlers[0]: Invalid value: "": ` + label + `]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Render(test.Config); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := Render(Config{Images: []string{"busybox"}}); err != nil {
		t.Errorf("does not do without handlers: %v", err)
	}
}

// A later release of Kubernetes may have one check more: then this fails, and so does parity in e2e/guard.
func TestChecksAreThoseOfPodSecurityAdmission(t *testing.T) {
	checks := podsecurity.DefaultChecks()
	slices.SortFunc(checks, func(a, b podsecurity.Check) int { return strings.Compare(string(a.ID), string(b.ID)) })
	overridden := map[podsecurity.CheckID]bool{}
	var wantBaseline, wantRestricted []string
	for _, check := range checks {
		latest := check.Versions[len(check.Versions)-1]
		for _, id := range latest.OverrideCheckIDs {
			overridden[id] = true
		}
		if check.Level == api.LevelBaseline {
			wantBaseline = append(wantBaseline, string(check.ID))
		}
	}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		for _, check := range checks {
			if check.Level == level && !overridden[check.ID] {
				wantRestricted = append(wantRestricted, string(check.ID))
			}
		}
	}
	if diff := cmp.Diff(wantBaseline, baseline); diff != "" {
		t.Errorf("baseline (-Pod Security admission +guard):\n%s", diff)
	}
	if diff := cmp.Diff(wantRestricted, restricted); diff != "" {
		t.Errorf("restricted (-Pod Security admission +guard):\n%s", diff)
	}
}

func TestEveryCheckIsUsed(t *testing.T) {
	files, err := guardtemplates.Files.ReadDir("checks")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), path.Ext(file.Name()))
		if !slices.Contains(slices.Concat(ours, baseline, restricted), name) {
			t.Errorf("stray file checks/%s: no standard has it", file.Name())
		}
	}
}

// FuzzArgument holds the form of an argument to the parser: the guard admits what the webhook writes, and nothing else.
func FuzzArgument(f *testing.F) {
	form := regexp.MustCompile(argument)
	for _, seed := range []string{
		"net.core.somaxconn=1024", "net.ipv4.ip_local_port_range=32768 65535", "kernel.sem=1 2  3 4", "a.b= 1", "a.b=1 ", "a.b=", "a=1",
		"a.b=1=2", "a/b=1", "a..b=1", "-a.b=1", "a.b=1\n", "a.b=\t1", "A.b=1", "a.B=1", "a.b=$(c)", "a.b=-1", "net.c\u043ere.x=1", "a.b=a+b/c:d,e",
		"a.b=1\nc.d=2", "a.b=1\r", "# a.b=1", "a.b-c=1", "a-b.c=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		assignments, problems := sysctl.Parse(text, field.NewPath("argument"))
		written := len(problems) == 0 && len(assignments) == 1 && assignments[0].String() == text
		name, value, _ := strings.Cut(text, "=")
		matched := form.MatchString(text) && len(name) <= sysctl.MaxNameLength && len(value) <= sysctl.MaxValueLength
		if written != matched {
			t.Errorf("%q: the parser writes it so: %t; the guard takes it: %t", text, written, matched)
		}
	})
}
