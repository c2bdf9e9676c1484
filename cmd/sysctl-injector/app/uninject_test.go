package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// alreadyInjected are inputs that have the container before inject sees them.
var alreadyInjected = []string{"identity-second-pass.yaml", "mirrored.yaml"}

// uninject removes exactly the bytes that inject adds.
func TestUninjectIsTheInverseOfInject(t *testing.T) {
	for _, path := range inputs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(alreadyInjected, filepath.Base(path)) {
				_, without, _ := run(t, "", "uninject", path)
				before = []byte(without)
			}
			code, out, errOut := run(t, "", "uninject", filepath.Join("testdata/injected", filepath.Base(path)))
			if code != 0 {
				t.Fatal(errOut)
			}
			if diff := cmp.Diff(string(before), out); diff != "" {
				t.Errorf("(-before +after inject and uninject):\n%s", diff)
			}
		})
	}
}

func TestUninjectSaysWhatItDid(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels:\n" +
		"    sysctl-injector.dev/injected: \"true\"\nspec:\n  initContainers:\n" +
		"  - name: sysctl-injector\n    volumeMounts:\n    - name: kube-api-access\n" +
		"      mountPath: /var/run/secrets/kubernetes.io/serviceaccount\n  containers: []\n"
	const want = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers: []\n"
	code, out, errOut := run(t, pod+"---\n"+strings.Replace(want, "web", "other", 1), "uninject", "-f", "-")
	if diff := cmp.Diff(want+"---\n"+strings.Replace(want, "web", "other", 1), out); code != 0 || diff != "" {
		t.Errorf("exit code %d (-want +got):\n%s", code, diff)
	}
	const said = "standard input: line 1: Pod \"web\": removed the label, the init container\n" +
		"standard input: line 15: Pod \"other\": was not injected\n"
	if diff := cmp.Diff(said, errOut); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
}
