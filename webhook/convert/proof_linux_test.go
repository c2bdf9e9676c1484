package convert_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// proofs is the number of scripts to run. The seeds are fixed, so the scripts are the same every time.
const proofs = 2000

// TestProof runs random scripts, and the containers to which they are converted, each in its own network and IPC
// namespaces with the same initial values. Afterwards, every sysctl must have the same value in both.
func TestProof(t *testing.T) {
	shells := findShells(t)
	var next, proven, raised atomic.Int64
	var wait sync.WaitGroup
	const enough = 20
	workers := 4 * runtime.NumCPU() // most of the time is spent waiting for the kernel to create namespaces
	failures := make(chan string, enough+workers)
	for range workers {
		wait.Go(func() {
			runtime.LockOSThread() // never unlocked, so that no other goroutine uses the thread
			w, err := newWorld()
			for err == nil && proven.Load() < proofs && len(failures) < enough {
				seed := uint64(next.Add(1))
				var failure string
				var how convert.Assignment
				how, failure, err = w.prove(shells, seed)
				switch {
				case failure != "":
					failures <- fmt.Sprintf("seed %d: %s", seed, failure)
				case how.Name != "":
					proven.Add(1)
					if how.AtLeast {
						raised.Add(1)
					}
				}
			}
			if err != nil {
				failures <- err.Error()
			}
		})
	}
	wait.Wait()
	close(failures)
	for failure := range failures {
		if strings.Contains(failure, errUnshare.Error()) {
			t.Skipf("NOT RUN: %s: run it as root, outside containers", failure)
		}
		t.Error(failure)
	}
	t.Logf("%d scripts were converted and run, %d of them with a >= line, out of %d", proven.Load(), raised.Load(),
		next.Load())
}

var errUnshare = errors.New("create namespaces")

// shell is a shell with the image that has it and the directory of that image's commands.
type shell struct {
	image, path, commands string
	isBash                bool
}

// findShells returns the shell of busybox, and those of Debian that are installed, if the sysctl command of procps is.
func findShells(t *testing.T) []shell {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: creating namespaces and writing /proc/sys needs root; run `sudo go test ./webhook/convert`")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("NOT RUN: there is no busybox in PATH; install it (Debian: apt-get install busybox-static)")
	}
	commands := t.TempDir()
	for _, name := range strings.Fields("sysctl tee cat echo printf test awk sleep true false sh [ id date nproc") {
		if err := os.Symlink(busybox, filepath.Join(commands, name)); err != nil {
			t.Fatal(err)
		}
	}
	shells := []shell{{"busybox", filepath.Join(commands, "sh"), commands, false}}
	procps, err := exec.Command("sysctl", "--version").Output()
	if err != nil || !bytes.Contains(procps, []byte("procps")) {
		t.Log("NOT RUN: the scripts with the sysctl command of procps, which is not in PATH")
		return shells
	}
	for _, name := range []string{"dash", "bash"} {
		if path, err := exec.LookPath(name); err == nil {
			shells = append(shells, shell{"debian", path, os.Getenv("PATH"), name == "bash"})
		}
	}
	return shells
}

// prove generates one script, and runs it if it is converted. It returns a line of the annotation and the difference.
func (w *world) prove(shells []shell, seed uint64) (convert.Assignment, string, error) {
	random := rand.New(rand.NewPCG(seed, 1))
	sh := shells[random.IntN(len(shells))]
	if random.IntN(2) == 0 {
		sh = shells[0]
	}
	g := &generator{Rand: random, hasBash: sh.isBash, files: int(seed) * 10}
	script, flags := g.script(), g.pick("-c", "-c", "-ec")
	template := podWith(sh, flags, script)
	encoded, err := json.Marshal(template)
	if err != nil {
		return convert.Assignment{}, "", err
	}
	result, err := convert.Inspect(encoded, convert.Kernel{})
	if err != nil || !result.Changes() || len(result.Assignments) == 0 {
		return convert.Assignment{}, "", err
	}
	command, err := commandOf(textOf(result.Assignments))
	if err != nil || command == nil {
		return convert.Assignment{}, "", err
	}
	before := map[string]string{}
	for _, a := range result.Assignments { // near the value, so that a condition is true in about half of the cases
		if random.IntN(2) == 0 && convert.IsCertain(a.Name) &&
			a.Name != "net.ipv4.ip_unprivileged_port_start" { // keep the default of a pod, 0 or 1024
			before[a.Name] = []string{a.Value, fmt.Sprint(1 + random.IntN(9000))}[random.IntN(2)]
		}
	}
	byHand, err := w.outcome(before, exec.Command(sh.path, flags, script), sh.commands)
	if err != nil {
		return convert.Assignment{}, "", err
	}
	ours, err := w.outcome(before, exec.Command(command[0], command[1:]...), shells[0].commands)
	if err != nil {
		return convert.Assignment{}, "", err
	}
	shown := result.Assignments[0]
	for _, a := range result.Assignments {
		if a.AtLeast {
			shown = a
		}
	}
	return shown, difference(sh, flags, script, command, byHand, ours), nil
}

func difference(sh shell, flags, script string, command []string, byHand, ours outcome) string {
	var differs []string
	switch {
	case byHand.failed != "" && ours.failed != "":
		return "" // neither pod starts
	case byHand.failed != ours.failed:
		differs = append(differs, fmt.Sprintf("fails: by hand %q, converted %q", byHand.failed, ours.failed))
	}
	for _, name := range slices.Sorted(maps.Keys(byHand.values)) {
		if byHand.values[name] != ours.values[name] {
			differs = append(differs, fmt.Sprintf("%s: by hand %q, converted %q", name, byHand.values[name],
				ours.values[name]))
		}
	}
	if len(differs) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s\n%s\nconverted: %q\n%s", sh.path, flags, script, command, strings.Join(differs, "\n"))
}

func podWith(sh shell, flags, script string) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{
			Name: "tune", Image: sh.image, Command: []string{filepath.Base(sh.path), flags, script},
			SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
		}},
		Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}},
	}}
}

func textOf(assignments []convert.Assignment) string {
	var lines []string
	for _, a := range assignments {
		lines = append(lines, a.String())
	}
	return strings.Join(lines, "\n")
}

// commandOf returns the command line of the injected container for an annotation, or nil if the webhook rejects the
// pod.
func commandOf(annotation string) ([]string, error) {
	injector, err := injection.New(injection.Config{Config: form.Config{Image: form.DefaultImage()}})
	if err != nil {
		return nil, err
	}
	allowed, errs := policy.CompilePolicy(&v1alpha1.SysctlPolicy{
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"*"}}}},
	})
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	p, err := pod.FromTyped(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}})
	if err != nil {
		return nil, err
	}
	p.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: annotation}
	outcome := injector.Inject(p, injection.Target{Namespace: "default"}, policy.NewSet([]*policy.Policy{allowed}, nil))
	encoded, err := json.Marshal(outcome.Operations)
	if err != nil {
		return nil, err
	}
	var command []string
	for _, operation := range gjson.ParseBytes(encoded).Array() {
		container := operation.Get("value")
		if container.IsArray() {
			container = container.Get("0")
		}
		for _, word := range slices.Concat(container.Get("command").Array(), container.Get("args").Array()) {
			command = append(command, word.String())
		}
	}
	return command, nil
}
