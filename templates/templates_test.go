package templates_test

import (
	"io/fs"
	"path"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// files returns the names of the embedded files of a directory.
func files(t *testing.T, fsys fs.FS, directory string) []string {
	t.Helper()
	entries, err := fs.ReadDir(fsys, directory)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, path.Join(directory, entry.Name()))
	}
	return names
}

// checkIdentity checks that a file has the kind and the name of its object.
func checkIdentity(t *testing.T, file, kind string, found metav1.TypeMeta, name string) {
	t.Helper()
	if want := (metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}); found != want {
		t.Errorf("%s: has %v, want %v", file, found, want)
	}
	if path.Base(file) != name+".yaml" {
		t.Errorf("%s: has an object named %q", file, name)
	}
}

func policies(t *testing.T) map[string]*policy.Policy {
	t.Helper()
	all := map[string]*policy.Policy{}
	for _, file := range files(t, templates.Policies, "policies") {
		var object v1alpha1.SysctlPolicy
		if err := templates.Decode(templates.Policies, file, &object); err != nil {
			t.Fatal(err)
		}
		checkIdentity(t, file, "SysctlPolicy", object.TypeMeta, object.Name)
		compiled, errs := policy.CompilePolicy(&object)
		if len(errs) > 0 {
			t.Errorf("%s: %v", file, errs.ToAggregate())
		}
		all[object.Name] = compiled
	}
	return all
}

func profiles(t *testing.T) map[string]*policy.Profile {
	t.Helper()
	all := map[string]*policy.Profile{}
	for _, file := range files(t, templates.Profiles, "profiles") {
		var object v1alpha1.SysctlProfile
		if err := templates.Decode(templates.Profiles, file, &object); err != nil {
			t.Fatal(err)
		}
		checkIdentity(t, file, "SysctlProfile", object.TypeMeta, object.Name)
		compiled, errs := policy.CompileProfile(&object)
		if len(errs) > 0 {
			t.Errorf("%s: %v", file, errs.ToAggregate())
		}
		all[object.Name] = compiled
	}
	return all
}

// TestProfilesUnderTheDefaultPolicy checks that the default policy allows each built-in profile on the kernels that
// docs/profiles.md lists.
func TestProfilesUnderTheDefaultPolicy(t *testing.T) {
	byDefault := policies(t)["default"]
	built := profiles(t)
	table := map[string]struct {
		sets   []string
		shared []string // reasons why a pod on a shared kernel is rejected
	}{
		"cassandra":     {[]string{"vm.max_map_count>=1048575"}, []string{"NodeLevel"}},
		"elasticsearch": {[]string{"vm.max_map_count>=1048576", "net.ipv4.tcp_retries2=5"}, []string{"NodeLevel"}},
		"envoy":         {[]string{"net.core.somaxconn>=32768", "net.ipv4.ip_local_port_range=32768 65535"}, nil},
		"haproxy": {[]string{"net.core.somaxconn>=32768", "net.ipv4.tcp_max_syn_backlog>=32768",
			"net.ipv4.ip_local_port_range=32768 65535"}, nil},
		"kafka": {[]string{"net.ipv4.tcp_rmem>=4096 131072 33554432",
			"net.ipv4.tcp_wmem>=4096 16384 33554432"}, nil},
		"milvus":     {[]string{"vm.max_map_count>=262144"}, []string{"NodeLevel"}},
		"mongodb":    {[]string{"net.ipv4.tcp_keepalive_time=120"}, nil},
		"nginx":      {[]string{"net.core.somaxconn>=32768", "net.ipv4.ip_local_port_range=32768 65535"}, nil},
		"opensearch": {[]string{"vm.max_map_count>=262144"}, []string{"NodeLevel"}},
		"postgresql": {[]string{"net.core.somaxconn>=10000"}, nil},
		"rabbitmq": {[]string{
			"net.core.somaxconn>=4096", "net.ipv4.tcp_max_syn_backlog>=8192",
			"net.ipv4.tcp_keepalive_time=30", "net.ipv4.tcp_keepalive_intvl=10", "net.ipv4.tcp_keepalive_probes=4",
		}, nil},
		"redis": {[]string{"net.core.somaxconn>=65536", "net.ipv4.tcp_max_syn_backlog>=65536"}, nil},
	}
	for name := range built {
		if _, listed := table[name]; !listed {
			t.Errorf("profile %q is not in the table", name)
		}
	}
	for name, want := range table {
		t.Run(name, func(t *testing.T) {
			if built[name] == nil {
				t.Fatal("the profile does not exist")
			}
			set := policy.NewSet([]*policy.Policy{byDefault}, []*policy.Profile{built[name]})
			settings, errs := set.Settings(policy.Request{Profiles: &name, ProfilesPath: field.NewPath("profiles")})
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			var sets []string
			for _, setting := range settings {
				sets = append(sets, setting.String())
			}
			if diff := cmp.Diff(want.sets, sets); diff != "" {
				t.Errorf("sets (-want +got):\n%s", diff)
			}
			for kernel, reasons := range map[v1alpha1.Kernel][]string{v1alpha1.SharedKernel: want.shared,
				v1alpha1.GuestKernel: nil} {
				var found []string
				for _, rejection := range set.Evaluate(policy.Facts{Namespace: "shop", ServiceAccount: "default",
					Kernel: kernel}, settings, nil) {
					found = append(found, rejection.Reason)
				}
				if diff := cmp.Diff(reasons, found); diff != "" {
					t.Errorf("rejections on kernel %s (-want +got):\n%s", kernel, diff)
				}
			}
		})
	}
}

// TestContainer compares the whole container: think twice about any addition, since the guard admits it everywhere.
func TestContainer(t *testing.T) {
	var found corev1.Container
	if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &found); err != nil {
		t.Fatal(err)
	}
	small := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
		corev1.ResourceMemory: resource.MustParse("32Mi")}
	want := corev1.Container{
		Name:            v1alpha1.ContainerName,
		Image:           "docker.io/library/busybox:1.36",
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"sysctl", "-w"},
		Args:            []string{},
		Resources:       corev1.ResourceRequirements{Requests: small, Limits: small},
		SecurityContext: &corev1.SecurityContext{
			Privileged:               new(true),
			RunAsUser:                new(int64(0)),
			RunAsGroup:               new(int64(0)),
			RunAsNonRoot:             new(false),
			ReadOnlyRootFilesystem:   new(true),
			AppArmorProfile:          &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
			AllowPrivilegeEscalation: nil, // the API rejects false with privileged
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("container (-want +got):\n%s", diff)
	}
}

func TestCompanionObjectsAreLabelled(t *testing.T) {
	for _, file := range files(t, templates.Companion, "companion") {
		var object metav1.PartialObjectMetadata
		raw, err := fs.ReadFile(templates.Companion, file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &object); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if object.Labels[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy {
			t.Errorf("%s: the label %s=%s is missing", file, v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)
		}
	}
}

func TestDecode(t *testing.T) {
	folder := fstest.MapFS{
		"typo.yaml":  {Data: []byte("kind: SysctlProfile\nspec: {sysctl: a.b = 1}\n")},
		"twice.yaml": {Data: []byte("kind: SysctlProfile\nkind: SysctlProfile\n")},
	}
	for _, test := range []struct{ name, file, want string }{
		{"rejects an unknown field", "typo.yaml",
			`decode template typo.yaml: error unmarshaling JSON: while decoding JSON: json: unknown field "sysctl"`},
		{"rejects a duplicate field", "twice.yaml",
			"decode template twice.yaml: error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key " +
				"\"kind\" already set in map"},
		{"reports a missing file", "none.yaml", "open none.yaml: file does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := templates.Decode(folder, test.file, &v1alpha1.SysctlProfile{})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
