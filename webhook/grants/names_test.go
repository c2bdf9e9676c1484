package grants

import (
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

var longest = "net." + strings.Repeat("x", sysctl.MaxNameLength-4)

func TestNames(t *testing.T) {
	x := func(count int) string { return strings.Repeat("x", count) }
	for _, test := range []struct{ name, got, want string }{
		{"says which sysctl a role is for", clusterRoleName("net.ipv4.tcp_rmem"), "sysctl-injector:net.ipv4.tcp_rmem"},
		{"keeps a role's name that just fits", clusterRoleName("net." + x(233)), "sysctl-injector:net." + x(233)},
		{"shortens a role's name that is too long", clusterRoleName("net." + x(234)),
			"sysctl-injector:net." + x(221) + "::HASH"},
		{"replaces the slash of an interface's name", clusterRoleName("net.ipv4.conf.eth0/100.rp_filter"),
			"sysctl-injector:net.ipv4.conf.eth0:100.rp_filter"},
		{"says whom a binding is for", roleBindingName("sysctl-injector:net.core.somaxconn", "web"),
			"sysctl-injector:net.core.somaxconn:web"},
		{"shortens a binding's name that is too long", roleBindingName("sysctl-injector:net."+x(180), x(60)),
			"sysctl-injector:net." + x(180) + ":" + x(40) + "::HASH"},

		{"says which sysctl a policy is for", podSecurityPolicyName([]string{"net.core.somaxconn"}, false),
			"sysctl-injector-net.core.somaxconn"},
		{"says that a policy admits the container", podSecurityPolicyName([]string{"kernel.sem", "net.core.somaxconn"},
			true), "sysctl-injector-kernel.sem-net.core.somaxconn-injected"},
		{"says so where every sysctl is safe", podSecurityPolicyName(nil, true), "sysctl-injector-injected"},
		{"replaces underscores", podSecurityPolicyName([]string{"net.ipv4.tcp_rmem"}, false),
			"sysctl-injector-net.ipv4.tcp-rmem-HASH"},
		{"replaces slashes", podSecurityPolicyName([]string{"net.ipv4.conf.eth0/100.rpfilter"}, false),
			"sysctl-injector-net.ipv4.conf.eth0-100.rpfilter-HASH"},
		{"replaces capitals", podSecurityPolicyName([]string{"kernel.numa_balancing_MBps"}, false),
			"sysctl-injector-kernel.numa-balancing-mbps-HASH"},
		{"tells a dash of a sysctl from one between two", podSecurityPolicyName([]string{"kernel.ctrl-alt-del"}, false),
			"sysctl-injector-kernel.ctrl-alt-del-HASH"},
		{"leaves out what no DNS label may begin or end with", podSecurityPolicyName([]string{"net.-a-._.b_"}, false),
			"sysctl-injector-net.a.b-HASH"},
		{"shortens a policy's name that is too long", podSecurityPolicyName([]string{"net." + x(100), "net." + x(150)},
			false), "sysctl-injector-net." + x(100) + "-net." + x(117) + "-HASH"},
		{"does not end in a dot before the hash", podSecurityPolicyName([]string{"net." + x(221) + ".y." + x(10)},
			false), "sysctl-injector-net." + x(221) + "-HASH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, hashed := strings.CutSuffix(test.want, "HASH")
			got := test.got
			if hashed && len(got) > 10 {
				if strings.Trim(got[len(got)-10:], "0123456789abcdef") != "" {
					t.Errorf("%s does not end in a hash", got)
				}
				got = got[:len(got)-10]
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", test.got, test.want)
			}
			if len(test.got) > maxNameLength {
				t.Errorf("%d characters", len(test.got))
			}
		})
	}
}

// sysctlSet is a set of sysctls as renderPSP has it: in order, each once.
type sysctlSet struct {
	names    []string
	injected bool
}

func (s sysctlSet) policyName() string { return podSecurityPolicyName(s.names, s.injected) }

func (s sysctlSet) equal(other sysctlSet) bool {
	return s.injected == other.injected && slices.Equal(s.names, other.names)
}

func TestNearlyTheSameSysctlsGiveAnotherPolicy(t *testing.T) {
	sets := []sysctlSet{
		{[]string{"net.a"}, false},
		{[]string{"net.a"}, true},
		{[]string{"net.a-injected"}, false},
		{[]string{"net.a", "net.b"}, false},
		{[]string{"net.a", "net.b"}, true},
		{[]string{"net.a-net.b"}, false},
		{[]string{"net.a-net.b"}, true},
		{[]string{"net.a_net.b"}, false},
		{[]string{"net.a", "net.b-injected"}, false},
		{[]string{"net.A", "net.b"}, false},
		{[]string{"net.a.b"}, false},
		{[]string{"net.a_b"}, false},
		{[]string{"net.a-b"}, false},
		{[]string{"net.a_.b"}, false},
		{[]string{"net.a._b"}, false},
		{[]string{"net.a/b"}, false},
		{[]string{longest}, false},
		{[]string{longest}, true},
		{[]string{longest[1:] + "y", longest}, false},
		{[]string{longest[:252] + "_"}, false},
		{[]string{longest[:252] + "y"}, false},
		{nil, true},
	}
	// A sysctl can be named like what is left of a longer one, its hash included.
	sets = append(sets, sysctlSet{[]string{strings.TrimPrefix(sysctlSet{[]string{longest}, false}.policyName(),
		prefix+"-")}, false})
	seen := map[string]sysctlSet{}
	for _, set := range sets {
		if before, found := seen[set.policyName()]; found {
			t.Errorf("%v and %v are both %s", before, set, set.policyName())
		}
		seen[set.policyName()] = set
	}
}

func TestNearlyTheSameInputsGiveOtherRBACNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{
		"net.a.b", "net.a_b", "net.a-b", "net.a/b", "net.A.b", longest, longest[:252], longest[:252] + "y",
		longest[:252] + "_",
		// A sysctl can be named nearly like what is left of a longer one, its hash included.
		strings.ReplaceAll(strings.TrimPrefix(clusterRoleName(longest), prefix+":"), "::", "-"),
	} {
		for _, account := range []string{
			"", "a", "a.b", "a-b", strings.Repeat("a", 253), strings.Repeat("a", 252) + "b",
		} {
			got := clusterRoleName(name)
			if account != "" {
				got = roleBindingName(got, account)
			}
			if before, found := seen[got]; found {
				t.Errorf("%q and %q are both %s", before, name+" "+account, got)
			}
			seen[got] = name + " " + account
		}
	}
}

// Generate makes sets of few letters, so that many are nearly the same. Some are too long.
func (sysctlSet) Generate(random *rand.Rand, _ int) reflect.Value {
	set := sysctlSet{injected: random.Intn(2) == 0}
	for range random.Intn(3) + 1 {
		name := "net."
		for range random.Intn(4) + 1 {
			name += string("ab_-A."[random.Intn(6)])
		}
		if random.Intn(8) == 0 {
			name += strings.Repeat("x", 220+random.Intn(20))
		}
		if parsed, err := sysctl.ParseName(name); err == nil {
			set.names = append(set.names, parsed)
		}
	}
	slices.Sort(set.names)
	set.names = slices.Compact(set.names)
	return reflect.ValueOf(set)
}

func TestNamesAreValidAndUniqueForRandomSysctls(t *testing.T) {
	policies, roles := map[string]sysctlSet{}, map[string]string{}
	check := func(set sysctlSet) bool {
		for _, name := range set.names {
			role := clusterRoleName(name)
			if before, found := roles[role]; found && before != name {
				t.Errorf("%s and %s have the role %s", before, name, role)
			}
			roles[role] = name
			for _, rbacName := range []string{role, roleBindingName(role, "web")} {
				if problems := content.IsPathSegmentName(rbacName); len(problems) > 0 || len(rbacName) > maxNameLength {
					t.Errorf("%s: %v", rbacName, problems)
				}
			}
		}
		policy := set.policyName()
		if before, found := policies[policy]; found && !before.equal(set) {
			t.Errorf("%v and %v have the policy %s", before, set, policy)
		}
		policies[policy] = set
		if problems := validation.IsDNS1123Subdomain(policy); len(problems) > 0 {
			t.Errorf("%v: %s: %v", set, policy, problems)
		}
		return !t.Failed()
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 20_000, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

func TestRenderedNamesAreValid(t *testing.T) {
	for name, test := range goldens {
		for _, object := range render(t, test.backend, test.needs...) {
			problems := content.IsPathSegmentName(object.GetName())
			if kind := object.GetObjectKind().GroupVersionKind().Kind; kind == "PodSecurityPolicy" ||
				kind == "SecurityContextConstraints" {
				problems = validation.IsDNS1123Subdomain(object.GetName())
			}
			if len(problems) > 0 || len(object.GetName()) > maxNameLength {
				t.Errorf("%s: %s: %v", name, object.GetName(), problems)
			}
		}
	}
}
