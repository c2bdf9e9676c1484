package policy

import (
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

const unknown = "is not a sysctl that sysctl-injector knows; check the spelling. If the node's kernel has it, an " +
	"administrator can allow it by its full name in a SysctlPolicy, or with a \"*\" for the interface alone: a " +
	"pattern such as net.* covers known names only"

// A pattern allows known names; any other has to be spelled out by a policy, which may be another one.
func TestUnknownNames(t *testing.T) {
	for _, test := range []struct {
		name, sysctl string
		allow        []string
		want         []violation
	}{
		{"a known name by a pattern", "net.core.somaxconn", []string{"net.*"}, nil},
		{"a name of one interface by a pattern", "net.ipv4.conf.eth0.rp_filter", []string{"net.*"}, nil},
		{"an unknown name by a pattern", "net.x1", []string{"net.*"},
			[]violation{{"UnknownSysctl", atSysctls + "Forbidden: line 1: net.x1 " + unknown}}},
		{"an unknown name by its full name", "net.x1", []string{"net.x1"}, nil},
		{"an unknown name by both", "net.x1", []string{"net.*", "net.x1"}, nil},
		{"an interface that pods do not usually have", "net.ipv4.conf.x1.rp_filter", []string{"net.ipv4.*"},
			[]violation{{"UnknownSysctl", atSysctls + "Forbidden: line 1: net.ipv4.conf.x1.rp_filter " + unknown}}},
		{"an interface that pods do not usually have, by its parameter", "net.ipv4.conf.x1.rp_filter",
			[]string{"net.ipv4.conf.*.rp_filter"}, nil},
		{"a parameter that the catalogue does not know, by its name", "net.ipv4.conf.x1.y",
			[]string{"net.ipv4.conf.*.y"}, nil},
		{"an interface by a beginning of its parameter", "net.ipv6.neigh.x1.retrans_time_ms",
			[]string{"net.*.neigh.*.retrans*"}, nil},
		{"an unknown parameter by a beginning", "net.ipv4.conf.x1.rp_y", []string{"net.ipv4.conf.*.rp_*"},
			[]violation{{"UnknownSysctl", atSysctls + "Forbidden: line 1: net.ipv4.conf.x1.rp_y " + unknown}}},
		{"a VLAN of a usual interface", "net.ipv4.conf.net1/100.rp_filter", []string{"net.*"}, nil},
		{"one typo away from a known name", "net.core.somaxcon", []string{"net.*"},
			[]violation{{"UnknownSysctl", atSysctls +
				"Forbidden: line 1: net.core.somaxcon " +
				strings.Replace(unknown, "check the spelling.", "did you mean net.core.somaxconn?", 1)}}},
		{"an unknown name that no policy allows", "net.x1", []string{"kernel.sem"},
			[]violation{{"NotAllowedByPolicy", atSysctls +
				`Forbidden: line 1: net.x1 is not allowed by any SysctlPolicy for service account "default" in ` +
				`namespace "shop"` + askFor}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &v1alpha1.SysctlPolicy{
				Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: test.allow}}},
			}
			compiled, errs := CompilePolicy(object)
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			facts := Facts{Namespace: "shop", ServiceAccount: "default", Kernel: v1alpha1.SharedKernel}
			wanted := Setting{Assignment: sysctl.Assignment{Name: test.sysctl, Value: "1", Line: 1}, Path: sysctlsPath}
			compare(t, NewSet([]*Policy{compiled}, nil).Evaluate(facts, []Setting{wanted}, nil), test.want)
		})
	}
}
