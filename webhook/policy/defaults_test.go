package policy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// applying is a profile that applies to the pods that its selectors select.
func applying(name, lines string, to v1alpha1.AppliesTo) *Profile {
	object := profileObject(name, lines)
	object.Spec.AppliesTo = &to
	p, _ := CompileProfile(object)
	return p
}

func with(labels ...string) metav1.LabelSelector {
	selector := metav1.LabelSelector{MatchLabels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		selector.MatchLabels[labels[i]] = labels[i+1]
	}
	return selector
}

// withDefaults are the labels of a namespace in which profiles apply by default.
func withDefaults(labels ...string) map[string]string {
	all := with(labels...).MatchLabels
	all[v1alpha1.InjectLabel], all[v1alpha1.DefaultsLabel] = v1alpha1.InjectEnabled, v1alpha1.DefaultsEnabled
	return all
}

func TestDefaultsApplyBySelectors(t *testing.T) {
	const line = "net.core.somaxconn = 1024"
	set := NewSet(nil, []*Profile{
		profile(t, "named", line),
		applying("all", line, v1alpha1.AppliesTo{}),
		applying("web", line, v1alpha1.AppliesTo{PodSelector: with("app", "web")}),
		applying("shop", line, v1alpha1.AppliesTo{NamespaceSelector: with("team", "shop")}),
		applying("both", line, v1alpha1.AppliesTo{NamespaceSelector: with("team", "shop"),
			PodSelector: with("app", "web")}),
		applying("broken", line, v1alpha1.AppliesTo{PodSelector: metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Is"}},
		}}),
		applying("others", line, v1alpha1.AppliesTo{PodSelector: metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"web"}},
			},
		}}),
	})
	for _, test := range []struct {
		name           string
		namespace, pod map[string]string
		want           []string
	}{
		{"not where the namespace has no label for them", map[string]string{v1alpha1.InjectLabel: "enabled"}, nil, nil},
		{"not where the namespace is not enrolled", map[string]string{v1alpha1.DefaultsLabel: "enabled"}, nil, nil},
		{"not where the label has another value",
			map[string]string{v1alpha1.InjectLabel: "enabled", v1alpha1.DefaultsLabel: "true"}, nil, nil},
		{"to a pod without labels", withDefaults(), nil, []string{"all", "broken", "others"}},
		{"by the pod's labels", withDefaults(), map[string]string{"app": "web"}, []string{"all", "broken", "web"}},
		{"by the namespace's labels", withDefaults("team", "shop"), map[string]string{"app": "db"},
			[]string{"all", "broken", "others", "shop"}},
		{"by both", withDefaults("team", "shop"), map[string]string{"app": "web"},
			[]string{"all", "both", "broken", "shop", "web"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := set.Defaults(test.namespace, func() (map[string]string, error) { return test.pod, nil })
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			if len(found) > 0 {
				names = Names(found)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("profiles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaultsNeedThePodsLabels(t *testing.T) {
	unread := errors.New("unread")
	labels := func() (map[string]string, error) { return nil, unread }
	set := NewSet(nil, []*Profile{applying("all", "net.core.somaxconn = 1", v1alpha1.AppliesTo{})})
	if _, err := set.Defaults(withDefaults(), labels); !errors.Is(err, unread) {
		t.Errorf("error %v", err)
	}
	if _, err := set.Defaults(nil, labels); err != nil {
		t.Errorf("without the namespace's label: %v", err)
	}
}

func TestAddDefaults(t *testing.T) {
	everywhere := v1alpha1.AppliesTo{}
	base := applying("base", "net.core.somaxconn = 4096\nnet.ipv4.tcp_fin_timeout = 30", everywhere)
	team := applying("team", "net.core.somaxconn = 8192\nnet.ipv4.tcp_tw_reuse = 1", everywhere)
	agrees := applying("agrees", "net.core.somaxconn = 4096", everywhere)
	set := NewSet(nil, []*Profile{profile(t, "nginx",
		"net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535"), base})
	for _, test := range []struct {
		name              string
		profiles, sysctls *string
		defaults          []*Profile
		want              []string // what is set, where it comes from and what it replaces
		violations        []violation
	}{
		{"puts them below nothing", nil, nil, []*Profile{base}, []string{
			"net.core.somaxconn=4096 default base", "net.ipv4.tcp_fin_timeout=30 default base",
		}, nil},
		{"puts them below the pod's own lines", nil, new("net.core.somaxconn = 512"), []*Profile{base}, []string{
			"net.ipv4.tcp_fin_timeout=30 default base", "net.core.somaxconn=512 pod over default base",
		}, nil},
		{"puts them below the profiles that the pod names", new("nginx"), nil, []*Profile{base}, []string{
			"net.ipv4.tcp_fin_timeout=30 default base", "net.core.somaxconn=32768 profile nginx over default base",
			"net.ipv4.ip_local_port_range=32768 65535 profile nginx",
		}, nil},
		{"puts the pod's own line above both", new("nginx"), new("net.core.somaxconn = 512"),
			[]*Profile{base}, []string{
				"net.ipv4.tcp_fin_timeout=30 default base", "net.ipv4.ip_local_port_range=32768 65535 profile nginx",
				"net.core.somaxconn=512 pod over profile nginx over default base",
			}, nil},
		{"takes a profile that is named too by its name", new("base"), nil, []*Profile{base}, []string{
			"net.core.somaxconn=4096 profile base", "net.ipv4.tcp_fin_timeout=30 profile base",
		}, nil},
		{"takes two that agree", nil, nil, []*Profile{agrees, base}, []string{
			"net.core.somaxconn=4096 default agrees", "net.ipv4.tcp_fin_timeout=30 default base",
		}, nil},
		{"rejects two that disagree", nil, nil, []*Profile{base, team}, nil, []violation{
			{"ConflictingDefaults", atProfiles +
				`Forbidden: default profiles "base" and "team" disagree: the one sets net.core.somaxconn=4096, the ` +
				`other net.core.somaxconn=8192; an administrator can change one of them or narrow its ` +
				`spec.appliesTo, and the pod can settle it with a line in sysctl-injector.dev/sysctls`},
		}},
		{"lets the pod settle it", nil, new("net.core.somaxconn = 512"), []*Profile{base, team}, []string{
			"net.ipv4.tcp_fin_timeout=30 default base", "net.ipv4.tcp_tw_reuse=1 default team",
			"net.core.somaxconn=512 pod over default base",
		}, nil},
		{"lets a profile that the pod names settle it", new("nginx"), nil, []*Profile{base, team}, []string{
			"net.ipv4.tcp_fin_timeout=30 default base", "net.ipv4.tcp_tw_reuse=1 default team",
			"net.core.somaxconn=32768 profile nginx over default base",
			"net.ipv4.ip_local_port_range=32768 65535 profile nginx",
		}, nil},
		{"rejects a pod whose default cannot be read", nil, nil,
			[]*Profile{applying("broken", "net.core.somaxconn", everywhere)}, nil, []violation{
				{"InvalidProfile", atProfiles +
					`Forbidden: SysctlProfile "broken" cannot be read: spec.sysctls: Invalid value: ` +
					`"net.core.somaxconn": line 1: there is no "=": write one "name = value" a line`},
			}},
		{"rejects more than may be set", nil, new(numbered("net.c.", 60)),
			[]*Profile{applying("many", numbered("net.a.", 5), everywhere)}, nil, []violation{
				{"TooManySysctls",
					atProfiles + "Forbidden: the pod gets 65 sysctls, those of default profiles included; " +
						"at most 64 are allowed"},
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked, errs := set.Settings(Request{Sysctls: test.sysctls, Profiles: test.profiles,
				SysctlsPath: sysctlsPath, ProfilesPath: profilesPath})
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			settings, violations := AddDefaults(asked, test.defaults, profilesPath)
			compare(t, violations, test.violations)
			if len(violations) > 0 {
				return
			}
			var got []string
			for _, s := range settings {
				text := s.String() + " " + s.Source().String()
				for _, over := range s.Over {
					text += " over " + over.String()
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestANamedProfileThatCannotBeReadSaysWhy(t *testing.T) {
	broken, _ := CompileProfile(profileObject("broken", "net.core.somaxconn"))
	_, errs := NewSet(nil, []*Profile{broken}).Settings(Request{Profiles: new("broken"), ProfilesPath: profilesPath})
	want := atProfiles + `Invalid value: "broken": SysctlProfile "broken" cannot be read: spec.sysctls: ` +
		`Invalid value: "net.core.somaxconn": line 1: there is no "=": write one "name = value" a line; ` +
		`an administrator has to correct it`
	if len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
}

func TestSettingSaysWhichProfilesSetASysctl(t *testing.T) {
	set := NewSet(nil, []*Profile{
		profile(t, "nginx", "net.core.somaxconn = 32768"), profile(t, "other", "net.ipv4.tcp_tw_reuse = 1"),
		applying("base", "net.core.somaxconn = 4096", v1alpha1.AppliesTo{}),
		applying("web", "net.core.somaxconn = 8192",
			v1alpha1.AppliesTo{NamespaceSelector: with("team", "shop"), PodSelector: with("app", "web")}),
	})
	var got []string
	for _, s := range set.Setting("net.core.somaxconn") {
		got = append(got, s.Profile+" "+s.Value+" "+s.AppliesTo)
	}
	want := []string{"base 4096 every pod", "nginx 32768 ", "web 8192 namespaces with team=shop, pods with app=web"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
