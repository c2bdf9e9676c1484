package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func policyNamed(name string, rules ...v1alpha1.AllowRule) *v1alpha1.SysctlPolicy {
	return &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SysctlPolicySpec{Allow: rules}}
}

func compiled(t *testing.T, name string, rules ...v1alpha1.AllowRule) *Policy {
	t.Helper()
	p, errs := CompilePolicy(policyNamed(name, rules...))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return p
}

func allow(names ...string) v1alpha1.AllowRule { return v1alpha1.AllowRule{Names: names} }

const (
	notAllowed = `is not allowed by any SysctlPolicy for service account "web" in namespace "shop"`
	askFor     = "; an administrator can allow it in a SysctlPolicy"
)

func TestPolicySelectsPods(t *testing.T) {
	for _, test := range []struct {
		name    string
		tweak   func(*v1alpha1.SysctlPolicySpec)
		allowed bool
	}{
		{"selects every pod when it selects nothing in particular", func(*v1alpha1.SysctlPolicySpec) {}, true},
		{"selects by a label of the namespace",
			func(s *v1alpha1.SysctlPolicySpec) { s.NamespaceSelector.MatchLabels = map[string]string{"team": "a"} },
			true},
		{"passes by a namespace with another label",
			func(s *v1alpha1.SysctlPolicySpec) { s.NamespaceSelector.MatchLabels = map[string]string{"team": "b"} },
			false},
		{"selects by an expression", func(s *v1alpha1.SysctlPolicySpec) {
			s.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team",
				Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}}
		}, true},
		{"passes by a namespace that an expression excludes", func(s *v1alpha1.SysctlPolicySpec) {
			s.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team",
				Operator: metav1.LabelSelectorOpDoesNotExist}}
		}, false},
		{"selects by the service account",
			func(s *v1alpha1.SysctlPolicySpec) { s.ServiceAccountNames = []string{"batch", "web"} }, true},
		{"passes by another service account",
			func(s *v1alpha1.SysctlPolicySpec) { s.ServiceAccountNames = []string{"default", "web2"} }, false},
		{"passes by the right service account in another namespace", func(s *v1alpha1.SysctlPolicySpec) {
			s.ServiceAccountNames = []string{"web"}
			s.NamespaceSelector.MatchLabels = map[string]string{"team": "b"}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := policyNamed("test", allow("net.*"))
			test.tweak(&object.Spec)
			p, errs := CompilePolicy(object)
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			var want []violation
			var allowing []string
			if test.allowed {
				allowing = []string{"test"}
			} else {
				want = []violation{{"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: net.core.somaxconn " +
					notAllowed + askFor}}
			}
			set := NewSet([]*Policy{p}, nil)
			compare(t, set.Evaluate(ordinary(), asks(t, "net.core.somaxconn = 512"), nil), want)
			if diff := cmp.Diff(allowing, set.Allowing(ordinary(), "net.core.somaxconn")); diff != "" {
				t.Errorf("Allowing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRulesOfAPolicy(t *testing.T) {
	bounded := func(minimum, maximum *int64) v1alpha1.AllowRule {
		return v1alpha1.AllowRule{Names: []string{"net.*", "kernel.shm*"}, Min: minimum, Max: maximum}
	}
	oneOf := func(values ...string) v1alpha1.AllowRule {
		return v1alpha1.AllowRule{Names: []string{"net.*"}, OneOf: values}
	}
	few := bounded(new(int64(10)), new(int64(100)))
	const nearest = notAllowed + `: the nearest one, SysctlPolicy "test", allows `
	for _, test := range []struct {
		name string
		rule v1alpha1.AllowRule
		line string
		want string // after the name; "" when it is allowed
	}{
		{"allows an exact name", allow("net.core.somaxconn"), "net.core.somaxconn = 1", ""},
		{"rejects a name that an exact one begins", allow("net.core.somaxconn"), "net.core.somaxconn2 = 1", notAllowed},
		{"allows what a pattern begins", allow("net.ipv4.tcp_*"), "net.ipv4.tcp_rmem = 1 2 3", ""},
		{"rejects what a pattern only almost begins", allow("net.ipv4.tcp_*"), "net.ipv4.tcpx = 1", notAllowed},
		{"allows every name by a lone asterisk", allow("*"), "kernel.sem = 1 2 3 4", ""},
		{"allows a name by a pattern in slash form", allow("net/ipv4/tcp_*"), "net.ipv4.tcp_rmem = 1 2 3", ""},

		{"allows on the kernel that is listed", v1alpha1.AllowRule{Names: []string{"net.*"},
			Kernels: []v1alpha1.Kernel{"Shared"}}, "net.core.somaxconn = 1", ""},
		{"rejects on the kernel that is not listed", v1alpha1.AllowRule{Names: []string{"net.*"},
			Kernels: []v1alpha1.Kernel{"Guest"}}, "net.core.somaxconn = 1", nearest + "it on a Guest kernel only"},

		{"allows the least number", few, "net.core.somaxconn = 10", ""},
		{"allows the greatest number", few, "net.core.somaxconn = 100", ""},
		{"rejects a number below the least", few, "net.core.somaxconn = 9", nearest +
			`only whole numbers from 10 to 100, not "9"`},
		{"rejects a number above the greatest", few, "net.core.somaxconn = 101", nearest +
			`only whole numbers from 10 to 100, not "101"`},
		{"bounds each field of a value", few, "net.ipv4.ip_local_port_range = 20 101", nearest +
			`only whole numbers from 10 to 100, not "101"`},
		{"allows each field within bounds", few, "net.ipv4.ip_local_port_range = 20 99", ""},
		{"rejects a word where numbers are bounded", few, "net.ipv4.tcp_congestion_control = bbr", nearest +
			`only whole numbers from 10 to 100, not "bbr"`},
		{"rejects a list with commas where numbers are bounded", few, "net.ipv4.ip_local_reserved_ports = 20,30",
			nearest + `only whole numbers from 10 to 100, not "20,30"`},
		{"rejects a fraction where numbers are bounded", few, "net.core.somaxconn = 10.5", nearest +
			`only whole numbers from 10 to 100, not "10.5"`},
		{"rejects a hexadecimal number, which the kernel would read", few, "net.core.somaxconn = 0x20", nearest +
			`only whole numbers from 10 to 100, not "0x20"`},
		{"rejects a leading zero, which the kernel would read as octal", few, "net.core.somaxconn = 010", nearest +
			`only whole numbers from 10 to 100, not "010"`},
		{"rejects a plus sign, which the kernel would not read", few, "net.core.somaxconn = +10", nearest +
			`only whole numbers from 10 to 100, not "+10"`},
		{"rejects a number above the only bound", bounded(nil, new(int64(100))), "net.core.somaxconn = 101", nearest +
			`only whole numbers up to 100, not "101"`},
		{"rejects a number below the only bound", bounded(new(int64(10)), nil), "net.core.somaxconn = 9", nearest +
			`only whole numbers from 10, not "9"`},
		{"allows a negative number within bounds", bounded(new(int64(-5)), new(int64(0))),
			"net.ipv4.tcp_adv_win_scale = -5", ""},
		{"rejects a negative number below the least", bounded(new(int64(-5)), nil), "net.core.somaxconn = -6", nearest +
			`only whole numbers from -5, not "-6"`},
		{"allows a number beyond 64 bits above the least", bounded(new(int64(1)), nil),
			"kernel.shmmax = 18446744073692774399", ""},
		{"rejects a number beyond 64 bits above the greatest", bounded(nil, new(int64(1<<62))),
			"kernel.shmmax = 18446744073692774399", nearest +
				`only whole numbers up to 4611686018427387904, not "18446744073692774399"`},
		{"rejects a number beyond 64 bits below the least", bounded(new(int64(0)), nil),
			"kernel.shmmax = -18446744073692774399", nearest +
				`only whole numbers from 0, not "-18446744073692774399"`},

		{"allows one of the values", oneOf("cubic", "bbr"), "net.ipv4.tcp_congestion_control = bbr", ""},
		{"rejects another value", oneOf("cubic", "bbr"), "net.ipv4.tcp_congestion_control = reno", nearest +
			`only the values "cubic", "bbr"`},
		{"allows a usual congestion control without a list", allow("net.*"),
			"net.ipv4.tcp_congestion_control = cubic", ""},
		{"rejects a congestion control that loads a kernel module", allow("net.*"),
			"net.ipv4.tcp_congestion_control = diag",
			nearest + `only the values "bbr", "cubic", "reno", since another one makes the node load a kernel module ` +
				`(tcp_diag), unless oneOf lists it`},
		{"allows a congestion control that loads a kernel module where it is listed", oneOf("dctcp"),
			"net.ipv4.tcp_congestion_control = dctcp", ""},
		{"folds blanks in the value and in the policy", oneOf("  4096   131072\t33554432 "),
			"net.ipv4.tcp_rmem = 4096\t131072  33554432", ""},
		{"compares a value as a whole", oneOf("32768 65535"), "net.ipv4.ip_local_port_range = 32768", nearest +
			`only the values "32768 65535"`},
		{"wants one of the values and the bounds", v1alpha1.AllowRule{Names: []string{"net.*"}, OneOf: []string{"5",
			"50"}, Min: new(int64(10))}, "net.core.somaxconn = 5", nearest + `only whole numbers from 10, not "5"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings := asks(t, test.line)
			var want []violation
			if test.want != "" {
				want = []violation{{"NotAllowedByPolicy", atSysctls + "Forbidden: line 1: " + settings[0].Name + " " +
					test.want + askFor}}
			}
			compare(t, NewSet([]*Policy{compiled(t, "test", test.rule)}, nil).Evaluate(ordinary(), settings, nil), want)
		})
	}
}

func TestCompilePolicyErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		tweak func(*v1alpha1.SysctlPolicySpec)
		want  []string
	}{
		{"takes a valid policy", func(*v1alpha1.SysctlPolicySpec) {}, nil},
		{"rejects a selector with an unknown operator", func(s *v1alpha1.SysctlPolicySpec) {
			s.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Is"}}
		}, []string{
			`spec.namespaceSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`,
		}},
		{"rejects a selector without the values it needs", func(s *v1alpha1.SysctlPolicySpec) {
			s.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team",
				Operator: metav1.LabelSelectorOpIn}}
		}, []string{"spec.namespaceSelector.matchExpressions[0].values: Required value: must be specified when " +
			"`operator` is 'In' or 'NotIn'"}},
		{"rejects a pattern with an asterisk inside", func(s *v1alpha1.SysctlPolicySpec) {
			s.Allow[0].Names = []string{"net.core.somaxconn", "net.*.forwarding"}
		}, []string{
			`spec.allow[0].names[1]: Invalid value: "net.*.forwarding": a "*" is allowed at the end of a pattern, as ` +
				`in net.ipv4.*, and for the interface, as in net.ipv4.conf.*.send_redirects, ` +
				`net.ipv6.conf.*.accept_ra or net.*.neigh.*.retrans_time_ms`,
		}},
		{"rejects an unknown kernel", func(s *v1alpha1.SysctlPolicySpec) {
			s.Allow[0].Kernels = []v1alpha1.Kernel{"Shared", "guest"}
		}, []string{
			`spec.allow[0].kernels[1]: Unsupported value: "guest": supported values: "Guest", "Shared"`,
		}},
		{"rejects a least number above the greatest", func(s *v1alpha1.SysctlPolicySpec) {
			s.Allow[0].Min,
				s.Allow[0].Max = new(int64(10)), new(int64(9))
		}, []string{
			"spec.allow[0].min: Invalid value: 10: is greater than max (9)",
		}},
		{"takes a least number that is the greatest",
			func(s *v1alpha1.SysctlPolicySpec) { s.Allow[0].Min, s.Allow[0].Max = new(int64(9)), new(int64(9)) }, nil},
		{"rejects a policy without rules", func(s *v1alpha1.SysctlPolicySpec) { s.Allow = nil }, []string{
			"spec.allow: Required value: a policy without rules allows nothing",
		}},
		{"rejects a rule without names", func(s *v1alpha1.SysctlPolicySpec) { s.Allow[0].Names = nil }, []string{
			`spec.allow[0].names: Required value: name what is allowed, for instance "net.core.somaxconn" or ` +
				`"net.ipv4.tcp_*"`,
		}},
		{"tells everything at once", func(s *v1alpha1.SysctlPolicySpec) {
			s.NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Is"}}
			s.Allow = []v1alpha1.AllowRule{
				{Names: []string{"net.**", "swappiness"}, Kernels: []v1alpha1.Kernel{""}},
				{Min: new(int64(2)), Max: new(int64(1))},
			}
		}, []string{
			`spec.namespaceSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator`,
			`spec.allow[0].names[0]: Invalid value: "net.**": a "*" is allowed at the end of a pattern, as in ` +
				`net.ipv4.*, and for the interface, as in net.ipv4.conf.*.send_redirects, net.ipv6.conf.*.accept_ra ` +
				`or net.*.neigh.*.retrans_time_ms`,
			`spec.allow[0].names[1]: Invalid value: "swappiness": a sysctl name has two words or more joined by ` +
				`dots, such as net.core.somaxconn`,
			`spec.allow[0].kernels[0]: Unsupported value: "": supported values: "Guest", "Shared"`,
			`spec.allow[1].names: Required value: name what is allowed, for instance "net.core.somaxconn" or ` +
				`"net.ipv4.tcp_*"`,
			"spec.allow[1].min: Invalid value: 2: is greater than max (1)",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := policyNamed("test", allow("net.*"))
			test.tweak(&object.Spec)
			p, errs := CompilePolicy(object)
			var found []string
			for _, err := range errs {
				found = append(found, err.Error())
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if (p != nil) != (len(test.want) == 0) {
				t.Errorf("policy %v", p)
			}
		})
	}
}

// A guest's modules are the guest's own.
func TestGuestsMayLoadModules(t *testing.T) {
	guest := ordinary()
	guest.Kernel = v1alpha1.GuestKernel
	set := NewSet([]*Policy{compiled(t, "test", allow("net.*"))}, nil)
	compare(t, set.Evaluate(guest, asks(t, "net.ipv4.tcp_congestion_control = htcp"), nil), nil)
}
