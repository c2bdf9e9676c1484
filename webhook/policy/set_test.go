package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func TestPoliciesTogether(t *testing.T) {
	upTo := func(most int64, names ...string) v1alpha1.AllowRule {
		return v1alpha1.AllowRule{Names: names, Max: &most}
	}
	onGuests := v1alpha1.AllowRule{Names: []string{"net.*"}, Kernels: []v1alpha1.Kernel{v1alpha1.GuestKernel}}
	for _, test := range []struct {
		name     string
		policies []*Policy
		want     []violation
	}{
		{"allow nothing where there are none", nil, []violation{
			{"NoPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn is not allowed: there is no " +
				"SysctlPolicy, so nothing is; an administrator can create one"},
			{"NoPolicy", atSysctls + "Forbidden: line 2: kernel.sem is not allowed: there is no SysctlPolicy, so " +
				"nothing is; an administrator can create one"},
		}},
		{"allow a pod when each allows one of its two sysctls",
			[]*Policy{compiled(t, "net", allow("net.*")), compiled(t, "ipc", allow("kernel.sem"))}, nil},
		{"allow a pod when two rules of one policy do",
			[]*Policy{compiled(t, "both", allow("net.*"), allow("kernel.sem"))}, nil},
		{"reject what only one of the sysctls lacks",
			[]*Policy{compiled(t, "net", allow("net.*")), compiled(t, "shm", allow("kernel.shm*"))}, []violation{
				{"NotAllowedByPolicy", atSysctls + "Forbidden: line 2: kernel.sem " + notAllowed + askFor},
			}},
		{
			"name the one that breaks a bound, before one for another kernel",
			[]*Policy{compiled(t, "a-guests", onGuests), compiled(t, "few", upTo(100, "net.*")),
				compiled(t, "ipc", allow("kernel.sem"))},
			[]violation{{
				"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed +
					`: the nearest one, SysctlPolicy "few", allows only whole numbers up to 100, not "512"` + askFor,
			}},
		},
		{
			"name the first of two that are as near",
			[]*Policy{compiled(t, "c", upTo(200, "net.*")), compiled(t, "b", upTo(100, "net.*")),
				compiled(t, "ipc", allow("kernel.sem"))},
			[]violation{{
				"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed +
					`: the nearest one, SysctlPolicy "b", allows only whole numbers up to 100, not "512"` + askFor,
			}},
		},
		{
			"quote the first rule of a policy of two that are as near",
			[]*Policy{compiled(t, "two", upTo(200, "net.*"), upTo(100, "net.core.*"), allow("kernel.sem"))},
			[]violation{{
				"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed +
					`: the nearest one, SysctlPolicy "two", allows only whole numbers up to 200, not "512"` + askFor,
			}},
		},
		{
			"allow by the wider of two rules for one name",
			[]*Policy{compiled(t, "two", upTo(100, "net.*"), upTo(1000, "net.core.*"), allow("kernel.sem"))}, nil,
		},
		{
			"do not let one rule's value stand for another rule's name",
			[]*Policy{compiled(t, "two", upTo(100, "net.*"), allow("kernel.sem", "kernel.shm*"))},
			[]violation{{
				"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed +
					`: the nearest one, SysctlPolicy "two", allows only whole numbers up to 100, not "512"` + askFor,
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := asks(t, "net.core.somaxconn = 512\nkernel.sem = 10000 1024000000 500 32000")
			compare(t, NewSet(test.policies, nil).Evaluate(ordinary(), settings, nil), test.want)
		})
	}
}

func TestNewSetKeepsTheLaterOfTwoWithOneName(t *testing.T) {
	set := NewSet(
		[]*Policy{compiled(t, "default", allow("net.*")), compiled(t, "another", allow("fs.mqueue.*")),
			compiled(t, "default", allow("kernel.sem"))},
		[]*Profile{profile(t, "nginx", "net.core.somaxconn = 1"), profile(t, "nginx", "net.core.somaxconn = 2")},
	)
	compare(t, set.Evaluate(ordinary(), asks(t, "net.core.somaxconn = 512\nkernel.sem = 1 2 3 4"), nil), []violation{
		{"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " + notAllowed + askFor},
	})
	settings, errs := set.Settings(Request{Profiles: new("nginx"), ProfilesPath: profilesPath})
	if len(errs) > 0 || len(settings) != 1 || settings[0].Value != "2" {
		t.Errorf("settings %v, errors %v", settings, errs)
	}
}

func TestAllowingNamesThePoliciesInOrder(t *testing.T) {
	set := NewSet([]*Policy{
		compiled(t, "z", allow("net.core.*")),
		compiled(t, "guests", v1alpha1.AllowRule{Names: []string{"*"},
			Kernels: []v1alpha1.Kernel{v1alpha1.GuestKernel}}),
		compiled(t, "few", v1alpha1.AllowRule{Names: []string{"net.*"}, Max: new(int64(100))}),
		compiled(t, "ipc", allow("kernel.sem")),
	}, nil)
	if diff := cmp.Diff([]string{"few", "z"}, set.Allowing(ordinary(), "net.core.somaxconn")); diff != "" {
		t.Errorf("shared kernel (-want +got):\n%s", diff)
	}
	facts := ordinary()
	facts.Kernel = v1alpha1.GuestKernel
	if diff := cmp.Diff([]string{"few", "guests", "z"}, set.Allowing(facts, "net.core.somaxconn")); diff != "" {
		t.Errorf("guest kernel (-want +got):\n%s", diff)
	}
}
