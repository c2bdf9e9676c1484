package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func profileObject(name, lines string) *v1alpha1.SysctlProfile {
	return &v1alpha1.SysctlProfile{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.SysctlProfileSpec{Sysctls: lines}}
}

func profile(t *testing.T, name, lines string) *Profile {
	t.Helper()
	p, errs := CompileProfile(profileObject(name, lines))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return p
}

// numbered returns count lines, which set prefix1, prefix2 and so on.
func numbered(prefix string, count int) string {
	var lines strings.Builder
	for i := range count {
		fmt.Fprintf(&lines, "%s%d = 1\n", prefix, i+1)
	}
	return lines.String()
}

func TestCompileProfileErrors(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		want        []string
	}{
		{"takes lines with comments", "# why\nnet.core.somaxconn = 512\n", nil},
		{"rejects a profile that sets nothing", "# soon\n", []string{
			`spec.sysctls: Required value: it asks for no sysctl: write at least one line such as ` +
				`"net.core.somaxconn = 1024", or remove it`,
		}},
		{"tells every line that cannot be read", "net.core.somaxconn\n\n-vm.swappiness = 1\n", []string{
			`spec.sysctls: Invalid value: "net.core.somaxconn": line 1: there is no "=": ` +
				`write one "name = value" a line`,
			`spec.sysctls: Invalid value: "vm.swappiness": line 3: a leading "-" is only for sysctls that an ` +
				`optional kernel module provides (net.ipv6.*, net.netfilter.*, net.bridge.*, net.ipv4.vs.*, ` +
				`net.sctp.*): remove the "-", since a pod must not start with a sysctl that was not set`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, errs := CompileProfile(profileObject("test", test.lines))
			var found []string
			for _, err := range errs {
				found = append(found, err.Error())
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if (p.unreadable == nil) != (len(test.want) == 0) {
				t.Errorf("profile %v", p)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	set := NewSet(nil, []*Profile{
		profile(t, "nginx", "# a comment\nnet.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535"),
		profile(t, "redis", "net.core.somaxconn = 65536\nnet.ipv4.tcp_max_syn_backlog = 65536"),
		profile(t, "ingress", "net.core.somaxconn = 32768\nnet.ipv4.tcp_tw_reuse = 1"),
		profile(t, "ten", numbered("net.a.", 10)),
		profile(t, "full", numbered("net.b.", 64)),
		profile(t, "low", "net.core.somaxconn >= 1024\nnet.ipv4.tcp_rmem >= 4096 131072 6291456"),
		profile(t, "high", "net.core.somaxconn >= 8192\nnet.ipv4.tcp_rmem >= 8192 65536 33554432"),
	})
	const disagree = atProfiles + `Forbidden: profiles "nginx" and "redis" disagree: the one sets ` +
		`net.core.somaxconn=32768, the other net.core.somaxconn=65536; name one of them only, or settle it with a ` +
		`line in sysctl-injector.dev/sysctls`
	for _, test := range []struct {
		name              string
		profiles, sysctls *string
		want              []string // what is set, and where it comes from
		errors            []string
	}{
		{"are none without annotations", nil, nil, nil, nil},
		{"are the pod's own lines, in order", nil, new("net.b.b = 1\nnet.a.a = 2"),
			[]string{"line 1: net.b.b=1", "line 2: net.a.a=2"}, nil},
		{"are a profile's lines, in order", new("nginx"), nil, []string{
			`profile "nginx", line 2: net.core.somaxconn=32768`,
			`profile "nginx", line 3: net.ipv4.ip_local_port_range=32768 65535`,
		}, nil},
		{"are the profiles' in the order in which they are named, and then the pod's own", new("ingress, nginx"),
			new("net.a.a = 1"), []string{
				`profile "ingress", line 1: net.core.somaxconn=32768`,
				`profile "ingress", line 2: net.ipv4.tcp_tw_reuse=1`,
				`profile "nginx", line 3: net.ipv4.ip_local_port_range=32768 65535`, "line 1: net.a.a=1",
			}, nil},
		{"take the pod's own line in place of a profile's, in another spelling too", new("nginx"),
			new("net/core/somaxconn = 512"), []string{
				`profile "nginx", line 3: net.ipv4.ip_local_port_range=32768 65535`, "line 1: net.core.somaxconn=512",
			}, nil},
		{"take a profile that is named twice once", new(" redis ,redis"), nil, []string{
			`profile "redis", line 1: net.core.somaxconn=65536`,
			`profile "redis", line 2: net.ipv4.tcp_max_syn_backlog=65536`,
		}, nil},
		{"take the higher value of two profiles that only raise it, for each number", new("low,high"), nil, []string{
			`profile "high", line 1: net.core.somaxconn>=8192`,
			`profile "low", line 2: net.ipv4.tcp_rmem>=8192 131072 33554432`,
		}, nil},
		{"take the same in the other order", new("high,low"), nil, []string{
			`profile "high", line 1: net.core.somaxconn>=8192`,
			`profile "high", line 2: net.ipv4.tcp_rmem>=8192 131072 33554432`,
		}, nil},
		{"reject two profiles of which one sets and one raises", new("low,nginx"), nil, nil, []string{
			atProfiles + `Forbidden: profiles "low" and "nginx" disagree: the one sets net.core.somaxconn>=1024, the ` +
				`other net.core.somaxconn=32768; name one of them only, or settle it with a line in ` +
				`sysctl-injector.dev/sysctls`,
		}},
		{"reject two profiles that disagree", new("nginx,redis"), nil, nil, []string{disagree}},
		{"tell a disagreement once, though a profile is named twice", new("nginx,redis,redis"), nil, nil,
			[]string{disagree}},
		{"reject each that disagrees with the first", new("redis,nginx,ingress"), nil, nil, []string{
			atProfiles + `Forbidden: profiles "redis" and "nginx" disagree: the one sets net.core.somaxconn=65536, ` +
				`the other net.core.somaxconn=32768; name one of them only, or settle it with a line in ` +
				`sysctl-injector.dev/sysctls`,
			atProfiles + `Forbidden: profiles "redis" and "ingress" disagree: the one sets net.core.somaxconn=65536, ` +
				`the other net.core.somaxconn=32768; name one of them only, or settle it with a line in ` +
				`sysctl-injector.dev/sysctls`,
		}},
		{"let the pod's own line settle a disagreement", new("nginx,redis"), new("net.core.somaxconn = 512"), []string{
			`profile "nginx", line 3: net.ipv4.ip_local_port_range=32768 65535`,
			`profile "redis", line 2: net.ipv4.tcp_max_syn_backlog=65536`, "line 1: net.core.somaxconn=512",
		}, nil},
		{"do not take a line that cannot be read for one that is missing", new("nginx,redis"),
			new("net.core.somaxconn 512"), nil, []string{
				atSysctls + `Invalid value: "net.core.somaxconn 512": line 1: there is no "=": ` +
					`write one "name = value" a line`,
			}},
		{"reject an unknown profile and list the known ones", new("ngnix"), nil, nil, []string{
			atProfiles + `Unsupported value: "ngnix": supported values: "full", "high", "ingress", "low", "nginx", ` +
				`"redis", "ten"`,
		}},
		{"are none for an empty list of profiles, which opts out of the defaults", new(" "), nil, nil, nil},
		{"reject each empty name", new("nginx,, ,ingress,"), nil, nil, []string{
			atProfiles + "Required value: name 2 of 5 is empty: give the names of SysctlProfiles with one comma " +
				"between them",
			atProfiles + "Required value: name 3 of 5 is empty: give the names of SysctlProfiles with one comma " +
				"between them",
			atProfiles + "Required value: name 5 of 5 is empty: give the names of SysctlProfiles with one comma " +
				"between them",
		}},
		{"answer briefly to a great many names", new(strings.Repeat("x,", 100_000)), nil, nil, []string{
			atProfiles + "Too many: 100001: must have at most 16 items",
		}},
		{"may be many", new("ten"), new(numbered("net.c.", 54)),
			append(sources(`profile "ten", `, "net.a.", 10), sources("", "net.c.", 54)...), nil},
		{"may be many where the pod's own lines replace a profile's", new("full"), new("net.b.1 = 1"),
			append(sources(`profile "full", `, "net.b.", 64)[1:], "line 1: net.b.1=1"), nil},
		{"reject one too many, the profiles' included", new("ten"), new(numbered("net.c.", 55)), nil, []string{
			atProfiles + "Forbidden: the pod asks for 65 sysctls, its profiles' included; at most 64 are allowed",
		}},
		{"tell everything that is wrong with both annotations", new("nginx,ngnix,redis"),
			new("net.core.somaxconn = 512\nvm swappiness = 1"), nil, []string{
				atSysctls + `Invalid value: "vm swappiness": line 2: a sysctl name is words of letters, digits, _ ` +
					`and - joined by dots, such as net.core.somaxconn: the character ' ' is not allowed`,
				atProfiles + `Unsupported value: "ngnix": supported values: "full", "high", "ingress", "low", ` +
					`"nginx", "redis", "ten"`,
			}},
		{"tell an unknown profile and a disagreement at once", new("nginx,ngnix,redis"), nil, nil, []string{
			atProfiles + `Unsupported value: "ngnix": supported values: "full", "high", "ingress", "low", "nginx", ` +
				`"redis", "ten"`,
			disagree,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			settings, errs := set.Settings(Request{Sysctls: test.sysctls, Profiles: test.profiles,
				SysctlsPath: sysctlsPath, ProfilesPath: profilesPath})
			var found []string
			for _, err := range errs {
				found = append(found, err.Error())
			}
			if diff := cmp.Diff(test.errors, found); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if len(errs) > 0 {
				return
			}
			var got []string
			for _, s := range settings {
				got = append(got, s.where()+": "+s.String())
				if s.Profile == "" && s.Path != sysctlsPath || s.Profile != "" && s.Path != profilesPath {
					t.Errorf("%s has path %s", s.Name, s.Path)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

// sources tells where the lines of numbered come from.
func sources(profile, prefix string, count int) []string {
	found := make([]string, count)
	for i := range count {
		found[i] = fmt.Sprintf("%sline %d: %s%d=1", profile, i+1, prefix, i+1)
	}
	return found
}

func TestSettingsWithoutAnyProfile(t *testing.T) {
	_, errs := NewSet(nil, nil).Settings(Request{Profiles: new("nginx"), ProfilesPath: profilesPath})
	if want := atProfiles + `Unsupported value: "nginx": there is no SysctlProfile at all`; len(errs) != 1 ||
		errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
}

func TestARejectionNamesTheProfileAndItsLine(t *testing.T) {
	set := NewSet([]*Policy{compiled(t, "test", allow("net.*"))},
		[]*Profile{profile(t, "search", "# mmap\nvm.max_map_count = 262144")})
	settings, errs := set.Settings(Request{Profiles: new("search"), ProfilesPath: profilesPath})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	compare(t, set.Evaluate(ordinary(), settings, nil), []violation{
		{"NodeLevel", atProfiles + `Forbidden: profile "search", line 2: vm.max_map_count ` + noClass},
	})
}
