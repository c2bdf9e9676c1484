package mutating

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

var update = flag.Bool("update", false, "rewrite testdata")

const golden = "testdata/mutating-policy.yaml"

// shipped is the configuration of an installation that changes nothing.
func shipped(t *testing.T) Config {
	t.Helper()
	config := Config{GuestHandlers: policy.DefaultGuestHandlers(), Version: "v1.2.3"}
	read := func(file string, object any) {
		t.Helper()
		var err error
		if _, is := object.(*v1alpha1.SysctlPolicy); is {
			err = templates.Decode(templates.Policies, file, object)
		} else {
			err = templates.Decode(templates.Profiles, file, object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	byDefault := &v1alpha1.SysctlPolicy{}
	read("policies/default.yaml", byDefault)
	config.Policies = append(config.Policies, byDefault)
	for _, name := range []string{"nginx", "redis", "rabbitmq"} {
		profile := &v1alpha1.SysctlProfile{}
		read("profiles/"+name+".yaml", profile)
		config.Profiles = append(config.Profiles, profile)
	}
	return config
}

func render(t *testing.T, config Config) []client.Object {
	t.Helper()
	objects, err := Render(config)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestManifest(t *testing.T) {
	rendered, err := guard.Manifest(render(t, shipped(t)))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, rendered, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(rendered)); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", golden, diff)
	}
}

// Without profiles, the variable still has their type. With the literal {}, the expressions that use it do not compile.
func TestWithoutProfiles(t *testing.T) {
	config := shipped(t)
	config.Profiles = nil
	found := 0
	for _, object := range render(t, config) {
		var variables []admissionregistrationv1.Variable
		switch policy := object.(type) {
		case *admissionregistrationv1.MutatingAdmissionPolicy:
			variables = policy.Spec.Variables
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			variables = policy.Spec.Variables
		}
		for _, variable := range variables {
			if variable.Name != "profiles" {
				continue
			}
			if found++; variable.Expression != noProfiles {
				t.Errorf("%s: profiles are %s", object.GetName(), variable.Expression)
			}
		}
	}
	if found != 3 {
		t.Errorf("%d policies have profiles, want 3", found)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		tweak func(*Config)
		want  string
	}{
		{"a version without the API", func(c *Config) { c.KubernetesVersion = "1.35" },
			`KubernetesVersion: Invalid value: "1.35": ` +
				"the oldest version that has MutatingAdmissionPolicy in its final version is 1.36"},
		{"a profile that applies by default", func(c *Config) { c.Profiles[0].Spec.AppliesTo = &v1alpha1.AppliesTo{} },
			"SysctlProfile[nginx].spec.appliesTo: Forbidden: profiles that apply by default need the server"},
		{"a profile that cannot be read", func(c *Config) { c.Profiles[0].Spec.Sysctls = "x" },
			`SysctlProfile[nginx].spec.sysctls: Invalid value: "x": line 1: there is no "=": ` +
				`write one "name = value" a line`},
		{"a policy without rules", func(c *Config) { c.Policies[0].Spec.Allow = nil },
			"SysctlPolicy[default].spec.allow: Required value: a policy without rules allows nothing"},
		{"an unknown pull policy", func(c *Config) { c.PullPolicy = "Sometimes" },
			`PullPolicy: "Sometimes" is not one of Always, IfNotPresent, Never`},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := shipped(t)
			test.tweak(&config)
			if _, err := Render(config); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
