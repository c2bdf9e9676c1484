package form

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

func settingsOf(t *testing.T, lines string) []policy.Setting {
	t.Helper()
	settings, errs := everything(t).Settings(policy.Request{Sysctls: &lines,
		SysctlsPath: field.NewPath("metadata", "annotations").Key(v1alpha1.SysctlsAnnotation)})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return settings
}

func TestPlan(t *testing.T) {
	type plan struct {
		Form, Container string
	}
	shared := policy.Facts{Kernel: v1alpha1.SharedKernel}
	guestKernel := policy.Facts{Kernel: v1alpha1.GuestKernel}
	userNamespaced := policy.Facts{Kernel: v1alpha1.SharedKernel, UserNamespace: true}
	const network, ipc = "net.core.somaxconn = 512", "kernel.sem = 1 2 3 4"
	for _, test := range []struct {
		name  string
		pod   Pod
		lines string
		want  plan
	}{
		{"an ordinary pod", Pod{Facts: shared, Kubernetes: 37}, network, plan{"privileged", "privileged.yaml"}},
		{"a pod of which no kernel is known", Pod{Kubernetes: 37}, network,
			plan{"privileged", "privileged.yaml"}},
		{"a guest", Pod{Facts: guestKernel, Kubernetes: 37}, network, plan{"guest", "privileged.yaml"}},
		{"a user namespace, net.*", Pod{Facts: userNamespaced, Kubernetes: 37}, network,
			plan{"user-namespace", "user-namespace-net.yaml"}},
		{"a user namespace, both", Pod{Facts: userNamespaced, Kubernetes: 37}, ipc + "\n" + network,
			plan{"user-namespace", "user-namespace-net.yaml"}},
		{"a user namespace, IPC names", Pod{Facts: userNamespaced, Kubernetes: 37}, ipc,
			plan{"user-namespace", "user-namespace.yaml"}},
		{"verification, whatever the pod", Pod{Facts: userNamespaced, Kubernetes: 0, Verify: true, NativeFirst: true},
			network + "\nvm.max_map_count >= 262144", plan{"verify", "verify.yaml"}},
		{"a floor", Pod{Facts: shared, Kubernetes: 37}, "net.core.somaxconn >= 512",
			plan{"privileged", "privileged.yaml"}},
		{"a user namespace where baseline rejects an unmasked /proc", Pod{Facts: userNamespaced, Kubernetes: 34}, ipc,
			plan{"user-namespace", "user-namespace.yaml"}},
		{"a user namespace where no pod has an unmasked /proc", Pod{Facts: userNamespaced, Kubernetes: 32}, ipc,
			plan{"privileged", "privileged.yaml"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			forms, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			got := forms.Plan(test.pod, settingsOf(t, test.lines))
			if diff := cmp.Diff(test.want, plan{got.Form.Name, got.template.file}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A namespace may pin the version of its Pod Security Standard. An older one counts fewer names as safe.
func TestNativeUnderAPinnedStandard(t *testing.T) {
	const name = "net.ipv4.tcp_keepalive_time" // safe since Kubernetes 1.29
	for _, test := range []struct {
		name, level, version string
		kubernetes           uint
		native               bool
	}{
		{"no pin", "baseline", "", 37, true},
		{"the latest", "baseline", "latest", 37, true},
		{"a label that is no version", "baseline", "1.25", 37, true},
		{"a version in which the name is safe", "baseline", "v1.29", 37, true},
		{"a version in which it is not", "baseline", "v1.28", 37, false},
		{"a stricter standard of such a version", "restricted", "v1.25", 37, false},
		{"an unknown standard, which counts as restricted", "strict", "v1.25", 37, false},
		{"a standard that rejects nothing", "privileged", "v1.25", 37, true},
		{"no standard", "", "v1.25", 37, true},
		{"a version that is newer than the cluster", "baseline", "v1.99", 37, true},
		{"a version that is newer than the kubelets", "baseline", "v1.31", 31, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := Pod{Asks: true, NativeFirst: true, Kubernetes: test.kubernetes,
				Facts: policy.Facts{Kernel: v1alpha1.SharedKernel, NamespaceLabels: map[string]string{}}}
			for key, value := range map[string]string{"pod-security.kubernetes.io/enforce": test.level,
				"pod-security.kubernetes.io/enforce-version": test.version} {
				if value != "" {
					pod.NamespaceLabels[key] = value
				}
			}
			got := For(pod, settingsOf(t, name+" = 100")[0].Assignment).Name
			if (got == Native) != test.native {
				t.Errorf("the form is %s", got)
			}
		})
	}
}

// Every template is a form's, and forms with one template share a shape.
func TestShapes(t *testing.T) {
	shapes, err := Shapes()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, s := range shapes {
		got[s.Name+".yaml"] = s.Forms
		if !strings.Contains(Claimed(), "'"+s.Name+"'") {
			t.Errorf("no mark tells the guard that a container has the shape %q", s.Name)
		}
		for _, name := range s.Forms {
			// The guard admits the shapes with that prefix in such pods only.
			if in := strings.HasPrefix(s.Name, "user-namespace"); in != Named(name).UserNamespace {
				t.Errorf("form %s, UserNamespace %t, has the file %s.yaml", name, !in, s.Name)
			}
		}
		if s.Container["name"] != v1alpha1.ContainerName {
			t.Errorf("the container of %v is named %v", s.Forms, s.Container["name"])
		}
		if diff := cmp.Diff(s.Container["command"], any(stringsOf(s.Commands[0].Words))); diff != "" &&
			s.Commands[0] == plain {
			t.Errorf("%s: the template's command is not the first one (-template +first):\n%s", s.Name, diff)
		}
	}
	want := map[string][]string{
		"privileged.yaml":         {"guest", "privileged"},
		"user-namespace.yaml":     {"user-namespace"},
		"verify.yaml":             {"verify"},
		"user-namespace-net.yaml": {"user-namespace"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files, err := fs.Glob(templates.Forms, "forms/*.yaml")
	if err != nil || len(files) != len(want) {
		t.Errorf("%d files, %v; want one for each shape", len(files), err)
	}
}

func stringsOf(words []string) []any {
	var all []any
	for _, word := range words {
		all = append(all, word)
	}
	return all
}
