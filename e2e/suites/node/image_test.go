package node_test

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// The archive has two platforms, as in a release. The node takes its own, and the kubelet sees that the user is not
// root.
func TestImageOfReleaseRunsAsNobody(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	const reference = "example.com/sysctl-injector:" + installation.Version
	path := filepath.Join(t.TempDir(), "image.tar")
	writeImage(t, path, reference)
	must(t, suite.Cluster(t).ImportImages(t.Context(), path))
	pod := start(t, namespace, newPod("version", "", func(pod *corev1.Pod) {
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever
		pod.Spec.SecurityContext = nil // the user is the image's
		container := &pod.Spec.Containers[0]
		container.Image, container.Args = reference, []string{"version", "--client"}
		container.SecurityContext = &corev1.SecurityContext{
			RunAsNonRoot:             ptr.To(true),
			ReadOnlyRootFilesystem:   ptr.To(true),
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	}), "to succeed", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded })
	output, err := command(t, "kubectl", "logs", "-n", namespace, pod.Name)
	if want := "sysctl-injector " + installation.Version + " "; err != nil || !strings.HasPrefix(output, want) {
		t.Errorf("it says %q (%v), want %q", output, err, want)
	}
}

// writeImage puts the program of the installation into an image, and for the other platform one that is not run.
func writeImage(t *testing.T, path, reference string) {
	t.Helper()
	program, err := os.ReadFile(installed.Program)
	must(t, err)
	var binaries []image.Binary
	for _, platform := range []struct {
		architecture string
		machine      elf.Machine
	}{{"amd64", elf.EM_X86_64}, {"arm64", elf.EM_AARCH64}} {
		content := program
		if platform.architecture != runtime.GOARCH {
			content = slices.Clone(program)
			binary.LittleEndian.PutUint16(content[18:], uint16(platform.machine)) // the ELF header's e_machine
		}
		binaries = append(binaries, image.Binary{Platform: v1.Platform{OS: "linux",
			Architecture: platform.architecture}, Content: content})
	}
	index, err := image.Config{Version: installation.Version, Created: time.Unix(0, 0)}.Index(binaries...)
	must(t, err)
	tag, err := name.NewTag(reference)
	must(t, err)
	must(t, image.WriteArchive(path, tag, index))
}
