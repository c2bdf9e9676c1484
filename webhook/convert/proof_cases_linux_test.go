package convert_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// TestProofOfCases runs the converted containers of the command's test data one after the other, and then the injected
// container that replaces them. Every sysctl must have the same value.
func TestProofOfCases(t *testing.T) {
	shells := findShells(t)
	commands := shells[0].commands
	for _, name := range []string{"apk", "apt-get", "install_packages"} { // there is no network
		script := []byte("#!" + shells[0].path + "\nexit 0\n")
		if err := os.WriteFile(filepath.Join(commands, name), script, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if bash, err := exec.LookPath("bash"); err == nil {
		if err := os.Symlink(bash, filepath.Join(commands, "bash")); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := filepath.Glob("../../cmd/sysctl-injector/app/testdata/convert/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	done := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked, so that no other goroutine uses the thread
		proven := 0
		defer func() { done <- proven }()
		w, err := newWorld()
		if err != nil {
			t.Log("NOT RUN: " + err.Error())
			return
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			find := func(o manifest.Object) []workload.Location {
				return new(workload.Finder).Find(o.APIVersion, o.Kind, gjson.ParseBytes(o.JSON))
			}
			// A file that cannot be parsed is not a manifest. The command reports it.
			_, _ = manifest.Rewrite(content, find, func(template manifest.Template) ([]jsonpatch.Operation, error) {
				if !template.ByShape && proveTemplate(t, w, template, commands, filepath.Base(path)) {
					proven++
				}
				return nil, nil
			})
		}
	}()
	if proven := <-done; proven > 0 {
		t.Logf("%d templates were converted and run", proven)
	}
}

func proveTemplate(t *testing.T, w *world, template manifest.Template, commands, name string) bool {
	t.Helper()
	result, err := convert.Inspect(template.Pod, convert.Kernel{})
	if err != nil || len(result.Assignments) == 0 {
		return false
	}
	var pod corev1.PodTemplateSpec
	if err := yaml.Unmarshal(template.Pod, &pod); err != nil {
		t.Error(err)
		return false
	}
	annotation := pod.Annotations[v1alpha1.SysctlsAnnotation]
	ours, err := commandOf(annotation + "\n" + textOf(result.Assignments))
	if err != nil || ours == nil {
		return false
	}
	var byHand []string // the original annotation, and then the commands of the containers
	if annotation != "" {
		words, err := commandOf(annotation)
		if err != nil {
			t.Error(err)
			return false
		}
		for i, word := range words {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		byHand = append(byHand, strings.Join(words, " "))
	}
	for _, f := range result.Findings {
		if !f.Converts() {
			continue
		}
		c := pod.Spec.InitContainers[f.Index]
		words := slices.Concat(c.Command, c.Args)
		for i, word := range words {
			for _, e := range c.Env {
				word = strings.ReplaceAll(word, "$("+e.Name+")", e.Value)
			}
			words[i] = "'" + strings.ReplaceAll(strings.ReplaceAll(word, "/host/proc/", "/proc/"), "'", `'\''`) + "'"
		}
		line := strings.Join(words, " ")
		for _, e := range c.Env {
			line = e.Name + "='" + e.Value + "' " + line
		}
		byHand = append(byHand, line)
	}
	script := strings.Join(byHand, " && ")
	before, err := w.outcome(nil, exec.Command("sh", "-c", script), commands)
	if err != nil {
		t.Error(err)
		return false
	}
	after, err := w.outcome(nil, exec.Command(ours[0], ours[1:]...), commands)
	if err != nil {
		t.Error(err)
		return false
	}
	sh := shell{path: "sh"}
	if differs := difference(sh, "-c", script, ours, before, after); differs != "" || before.failed != "" {
		t.Errorf("%s: %s%s", name, differs, before.failed)
	}
	return true
}
