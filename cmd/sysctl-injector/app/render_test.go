package app

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenderGuardIsTheShippedFile(t *testing.T) {
	shipped, err := os.ReadFile("../../../deploy/guard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(shipped), "\n---\n")
	code, out, errOut := run(t, "", "render", "guard")
	if code != exitDone || errOut != "" {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	if diff := cmp.Diff("---\n"+want, out); diff != "" {
		t.Errorf("guard (-deploy/guard.yaml +render guard):\n%s", diff)
	}
}

func TestRenderGuard(t *testing.T) {
	for _, test := range []struct {
		name        string
		args        []string
		code        int
		has, hasNot []string
		errOut      string
	}{
		{"for the newest version", nil, exitDone, []string{"net.ipv4.tcp_notsent_lowat",
			"+ variables.hostProbesAndHostLifecycle"}, nil, ""},
		{"for a version as an API server reports it", []string{"--kubernetes-version", "v1.33.5-eks-1a2b3c", "-o",
			"yaml"}, exitDone,
			[]string{"net.ipv4.tcp_rmem"}, []string{"net.ipv4.tcp_notsent_lowat",
				"+ variables.hostProbesAndHostLifecycle"}, ""},
		{"with two images and no guest handlers",
			[]string{"--init-image", "example.com/busybox:2", "--previous-init-image", "example.com/busybox:1",
				"--guest-handlers", ""}, exitDone,
			[]string{`'["example.com/busybox:2","example.com/busybox:1"]'`}, []string{"kata"}, ""},
		{"not for a version that is too old", []string{"--kubernetes-version", "1.30"}, exitUsage, nil, nil,
			`error: --kubernetes-version: Invalid value: "1.30": the oldest version that the guard is for is 1.31` +
				"\nSee 'sysctl-injector render guard --help'.\n"},
		{"not for images that cannot be", []string{"--init-image", "a b", "--previous-init-image", "c d"}, exitUsage,
			nil, nil, `error: [--init-image: Invalid value: "a b": this is no image reference, ` +
				`--previous-init-image: Invalid value: "c d": this is no image reference]` +
				"\nSee 'sysctl-injector render guard --help'.\n"},
		{"not with an argument", []string{"1.35"}, exitUsage, nil, nil,
			"error: unknown command \"1.35\" for \"sysctl-injector render guard\"\n" +
				"See 'sysctl-injector render guard --help'.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, "", append([]string{"render", "guard"}, test.args...)...)
			if code != test.code || errOut != test.errOut {
				t.Errorf("exit %d, want %d; got\n%s\nwant\n%s", code, test.code, errOut, test.errOut)
			}
			for _, text := range test.has {
				if !strings.Contains(out, text) {
					t.Errorf("lacks %s", text)
				}
			}
			for _, text := range test.hasNot {
				if strings.Contains(out, text) {
					t.Errorf("has %s", text)
				}
			}
		})
	}
}

func TestRenderMutatingPolicy(t *testing.T) {
	code, out, errOut := run(t, "", "render", "mutating-policy", "--init-image", "example.com/busybox:2")
	if code != exitDone || errOut != "" {
		t.Fatalf("exit %d: %s", code, errOut)
	}
	for _, text := range []string{
		"kind: MutatingAdmissionPolicy\n", "kind: MutatingAdmissionPolicyBinding\n",
		"kind: ValidatingAdmissionPolicy\n", `"example.com/busybox:2"`, `"rabbitmq":`,
	} {
		if !strings.Contains(out, text) {
			t.Errorf("lacks %s", text)
		}
	}
	code, _, errOut = run(t, "", "render", "mutating-policy", "--kubernetes-version", "1.35")
	const want = `error: --kubernetes-version: Invalid value: "1.35": the oldest version that has ` +
		`MutatingAdmissionPolicy in its final version is 1.36` +
		"\nSee 'sysctl-injector render mutating-policy --help'.\n"
	if code != exitUsage || errOut != want {
		t.Errorf("exit %d, %q, want %q", code, errOut, want)
	}
}
