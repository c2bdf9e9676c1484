package injection

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

const replaced = `init container "sysctl-injector" was replaced by the one that belongs there`

// projected is a volume such as the API server and identity webhooks add.
func projected(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}
}

func TestReplacesAChangedContainer(t *testing.T) {
	tests := []struct {
		field string
		tweak func(*corev1.Container)
	}{
		{"image", func(c *corev1.Container) { c.Image = "busybox" }},
		{"imagePullPolicy", func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullNever }},
		{"image", func(c *corev1.Container) { c.Image += "@sha256:" + strings.Repeat("4", 63) }},
		{"image", func(c *corev1.Container) {
			c.Image = "evil.example/" + c.Image + "@sha256:" +
				strings.Repeat("4", 64)
		}},
		{"env, volumeMounts", withIdentity},
		{"command", func(c *corev1.Container) { c.Command = []string{"sh", "-c"} }},
		{"args", func(c *corev1.Container) { c.Args = append(c.Args, "net.core.optmem_max=1") }},
		{"args", func(c *corev1.Container) { c.Args[0] = "net.core.somaxconn=1025" }},
		{"workingDir", func(c *corev1.Container) { c.WorkingDir = "/" }},
		{"env", func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} }},
		{"lifecycle", func(c *corev1.Container) { c.Lifecycle = &corev1.Lifecycle{} }},
		{"restartPolicy", func(c *corev1.Container) { c.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways) }},
		{"stdin", func(c *corev1.Container) { c.Stdin = true }},
		{"securityContext", func(c *corev1.Container) { c.SecurityContext.AppArmorProfile = nil }},
		{"resources", func(c *corev1.Container) { c.Resources.Claims = []corev1.ResourceClaim{{Name: "gpu"}} }},
		{"securityContext", func(c *corev1.Container) {
			c.SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}
		}},
		{"securityContext",
			func(c *corev1.Container) { c.SecurityContext.ProcMount = ptr.To(corev1.UnmaskedProcMount) }},
		{"terminationMessagePath", func(c *corev1.Container) { c.TerminationMessagePath = "/etc/passwd" }},
		{"terminationMessagePolicy",
			func(c *corev1.Container) { c.TerminationMessagePolicy = corev1.TerminationMessageReadFile }},
		{"volumeMounts", func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: pod.TokenMountPath, ReadOnly: true,
				SubPath: "x"}}
		}},
		{"volumeMounts", func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "host", MountPath: pod.TokenMountPath, ReadOnly: true}}
		}},
		{"volumeMounts", func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "token", MountPath: pod.TokenMountPath}}
		}},
	}
	for _, test := range tests {
		t.Run(test.field, func(t *testing.T) {
			w := validWorld()
			container := injected()
			test.tweak(&container)
			w.pod.Spec.InitContainers = []corev1.Container{container, {Name: "setup"}}
			w.pod.Spec.Volumes = []corev1.Volume{
				projected("token"), {Name: "host",
					VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}},
			}
			outcome := w.decide(t, Config{})
			want := replaced + "; it differed in " + test.field
			if test.field == "image" {
				want += `; its image was "` + container.Image + `", and is "docker.io/library/busybox:1.36"`
			}
			if diff := cmp.Diff([]string{want}, outcome.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			w.isEnforced(t, outcome, injected(), "sysctl-injector", "setup")
		})
	}
}

// isEnforced applies an outcome. The pod has to have the container in front then, and a second call to change
// nothing.
func (w *world) isEnforced(t *testing.T, outcome Outcome, container corev1.Container, inits ...string) {
	t.Helper()
	w.pod = apply(t, w.pod, outcome)
	if diff := cmp.Diff(container, w.pod.Spec.InitContainers[0]); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(inits, initNames(w.pod)); diff != "" {
		t.Errorf("init containers (-want +got):\n%s", diff)
	}
	again := w.decide(t, Config{})
	if again.Reason != ReasonAlreadyInjected || len(again.Operations) > 0 {
		t.Errorf("the second time: %s with patch %s", again.Reason, mustMarshal(again.Operations))
	}
}

func TestReplacesAndMoves(t *testing.T) {
	shell := corev1.Container{Name: "sysctl-injector", Image: injected().Image, Command: []string{"sh"}}
	for _, test := range []struct {
		name    string
		inits   []corev1.Container
		want    []string
		warning string
	}{
		{"one behind others", []corev1.Container{{Name: "proxy"}, shell, {Name: "setup"}},
			[]string{"sysctl-injector", "proxy", "setup"},
			replaced + "; it differed in args, command, imagePullPolicy, securityContext, terminationMessagePolicy"},
		{"two of the name", []corev1.Container{injected(), {Name: "proxy"}, shell},
			[]string{"sysctl-injector", "proxy"}, replaced + "; 2 init containers had the name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.InitContainers = test.inits
			outcome := w.decide(t, Config{})
			if diff := cmp.Diff([]string{test.warning}, outcome.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			w.isEnforced(t, outcome, injected(), test.want...)
		})
	}
}

func TestReplacesAContainerThatCannotBeDecoded(t *testing.T) {
	for _, edit := range []*strings.Replacer{
		strings.NewReplacer(`"args":`, `"newField":{},"args":`),
		strings.NewReplacer(`"resources":{}`, `"resources":{"limits":{"ephemeral-storage":"1e-999999999"}}`),
	} {
		w := validWorld()
		w.pod.Spec.InitContainers = []corev1.Container{injected()}
		raw, err := json.Marshal(w.pod)
		if err != nil {
			t.Fatal(err)
		}
		outcome := decideJSON(t, edit.Replace(string(raw)), Config{}, w)
		if len(outcome.Warnings) != 1 || !strings.HasPrefix(outcome.Warnings[0], replaced) ||
			!strings.Contains(outcome.Warnings[0], "a field that is not of a container") {
			t.Errorf("warnings %q", outcome.Warnings)
		}
		w.isEnforced(t, outcome, injected(), "sysctl-injector")
	}
}

// What others may change in the container: the guard admits each.
func TestKeepsWhatTheGuardLeavesFree(t *testing.T) {
	for _, test := range []struct {
		name  string
		tweak func(*corev1.Container)
	}{
		{"the pull policy of AlwaysPullImages", func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }},
		{"a digest behind the tag", func(c *corev1.Container) { c.Image += "@sha256:" + strings.Repeat("4", 64) }},
		{"a LimitRange's resources", func(c *corev1.Container) {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"),
				corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")}
		}},
		{"the mount of the token", func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "kube-api-access-x", ReadOnly: true,
				MountPath: pod.TokenMountPath}}
		}},
		{"defaults", func(c *corev1.Container) {
			c.TerminationMessagePath = corev1.TerminationMessagePathDefault
			c.SecurityContext.ProcMount = ptr.To(corev1.DefaultProcMount)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, changed := range []bool{false, true} {
				w := validWorld()
				want := injected()
				test.tweak(&want)
				w.pod.Spec.Volumes = []corev1.Volume{projected("kube-api-access-x"), projected("aws-iam-token")}
				w.annotate(pod.EKSSkipAnnotation, "sysctl-injector")
				found := *want.DeepCopy()
				if changed {
					withIdentity(&found)
				}
				w.pod.Spec.InitContainers = []corev1.Container{found}
				outcome := w.decide(t, Config{})
				if got := len(outcome.Warnings) > 0; got != changed {
					t.Errorf("with another change %t: warnings %q", changed, outcome.Warnings)
				}
				w.isEnforced(t, outcome, want, "sysctl-injector")
			}
		})
	}
}

func TestAddsToTheResourcesThatItFinds(t *testing.T) {
	w := validWorld()
	quantities := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
		corev1.ResourceMemory: resource.MustParse("1Gi")}
	w.pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: quantities, Limits: quantities}
	found := injected()
	found.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m")}
	w.pod.Spec.InitContainers = []corev1.Container{found}
	want := injected()
	want.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"),
			corev1.ResourceMemory: resource.MustParse("32Mi")},
	}
	w.isEnforced(t, w.decide(t, Config{}), want, "sysctl-injector")
}

func TestWarnsOfContainersThatSetASysctlAgain(t *testing.T) {
	script := func(text string) corev1.Container {
		return corev1.Container{Name: "init-sysctl", Command: []string{"sh", "-c", text},
			SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)}}
	}
	const unclear = `init container "init-sysctl" is privileged, runs later, and names net.core.somaxconn in a ` +
		`command that is not understood: a value that it sets takes the place of the annotation's; ` +
		`remove one of the two`
	warning := func(values string) []string {
		return []string{`init container "init-sysctl" runs later and sets ` + values +
			", in the place of the annotation's value; remove one of the two"}
	}
	withEnv := script("for s in $NAMES; do sysctl -w $s=8; done")
	withEnv.Env = []corev1.EnvVar{{Name: "NAMES", Value: "net.ipv4.tcp_fin_timeout net.core.somaxconn"}}
	plain := script("sysctl -w net.core.somaxconn=4096")
	plain.SecurityContext = nil
	for _, test := range []struct {
		name      string
		container corev1.Container
		want      []string
	}{
		{"by sysctl in a script", script("sysctl -w net.core.somaxconn=4096"), warning("net.core.somaxconn = 4096")},
		{"by a path", script(`echo 1024 >/proc/sys/net/core/somaxconn || true`), warning("net.core.somaxconn = 1024")},
		{"in quotes", script(`sysctl -w "net.core.somaxconn"='1024'; sysctl -n net.core.somaxconn`),
			warning("net.core.somaxconn = 1024")},
		{"as an argument", corev1.Container{Name: "init-sysctl", Command: []string{"sysctl", "-w"},
			Args:            []string{"net/core/somaxconn=1"},
			SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)}}, warning("net.core.somaxconn = 1")},
		{"by variables and a loop", withEnv, warning("net.core.somaxconn = 8")},
		{"to the last of two values", script("sysctl -w net.core.somaxconn=1; sysctl -w net.core.somaxconn=2"),
			warning("net.core.somaxconn = 2")},
		{"in a file that it loads", script("echo net.core.somaxconn=7 > /tmp/a; sysctl -p /tmp/a"),
			warning("net.core.somaxconn = 7")},
		{"without end", script("while :; do sysctl -w net.core.somaxconn=7; sleep 9; done"),
			warning("net.core.somaxconn = 7")},
		{"or may", script("tune() { sysctl -w net.core.somaxconn=7; }; tune"), []string{unclear}},
		{"only if it is lower, which it is not",
			script("[ $(sysctl -n net.core.somaxconn) -ge 100 ] || sysctl -w net.core.somaxconn=100"), nil},
		{"only if it is lower, which it is",
			script("[ $(sysctl -n net.core.somaxconn) -ge 99999 ] || sysctl -w net.core.somaxconn=99999"),
			warning("net.core.somaxconn = 99999")},
		{"not: it reads it", script("sysctl -n net.core.somaxconn"), nil},
		{"another sysctl", script("sysctl -w net.core.somaxconn_x=1024 vm.max_map_count=1"), nil},
		{"without the privilege", plain, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.InitContainers = []corev1.Container{test.container}
			outcome := w.decide(t, Config{})
			if diff := cmp.Diff(test.want, outcome.Warnings); diff != "" || outcome.IsDenied() {
				t.Errorf("warnings (-want +got), %s:\n%s", outcome.Message(), diff)
			}
		})
	}
}

// What confines a pod's own containers does not reach the injected one: it states what it needs, or the kernel does
// not care.
func TestInjectsBesideWhatConfinesThePod(t *testing.T) {
	for name, tweak := range map[string]func(*corev1.PodSpec){
		"an AppArmor profile": func(s *corev1.PodSpec) {
			s.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: "Localhost",
				LocalhostProfile: ptr.To("x")}
		},
		"a seccomp profile": func(s *corev1.PodSpec) {
			s.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: "RuntimeDefault"}
		},
		"a user and a group": func(s *corev1.PodSpec) {
			s.SecurityContext.RunAsUser, s.SecurityContext.RunAsGroup = ptr.To(int64(1000)), ptr.To(int64(1000))
		},
		"runAsNonRoot":     func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = ptr.To(true) },
		"a group of files": func(s *corev1.PodSpec) { s.SecurityContext.FSGroup = ptr.To(int64(1000)) },
		"a policy for groups": func(s *corev1.PodSpec) {
			s.SecurityContext.SupplementalGroupsPolicy = ptr.To(corev1.SupplementalGroupsPolicyStrict)
		},
		"an SELinux level": func(s *corev1.PodSpec) {
			s.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Level: "s0:c1,c2"}
		},
		"the same value set natively": func(s *corev1.PodSpec) {
			s.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "net.core.somaxconn", Value: "4096"}}
		},
		"a shared process namespace": func(s *corev1.PodSpec) { s.ShareProcessNamespace = ptr.To(true) },
		"the node's processes":       func(s *corev1.PodSpec) { s.HostPID = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := validWorld()
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
			tweak(&w.pod.Spec)
			w.isEnforced(t, w.decide(t, Config{}), injected(), v1alpha1.ContainerName)
		})
	}
}
