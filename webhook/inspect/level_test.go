package inspect

import "testing"

func TestCurrentLevel(t *testing.T) {
	const podSecurity, inject, enforce = "pod-security.kubernetes.io/enforce", "sysctl-injector.dev/inject",
		"sysctl-injector.dev/enforce"
	for _, test := range []struct {
		name   string
		labels map[string]string
		want   string
	}{
		{"is baseline without a label", nil, "baseline"},
		{"is that of Pod Security", map[string]string{podSecurity: "restricted"}, "restricted"},
		{"is that of Pod Security, even privileged", map[string]string{podSecurity: "privileged"}, "privileged"},
		{"is restricted if Pod Security does not know the level", map[string]string{podSecurity: "restrictd"},
			"restricted"},
		{"is that of the guard in an enrolled namespace",
			map[string]string{podSecurity: "privileged", inject: "enabled", enforce: "restricted"}, "restricted"},
		{"is the guard's default, baseline, if only inject is set", map[string]string{podSecurity: "privileged",
			inject: "enabled"}, "baseline"},
		{"is restricted if the guard does not know the level", map[string]string{podSecurity: "privileged",
			enforce: "strict"}, "restricted"},
		{"is the stricter one of both", map[string]string{podSecurity: "restricted", inject: "enabled",
			enforce: "baseline"}, "restricted"},
		{"is privileged if the administrator chose it", map[string]string{podSecurity: "privileged", inject: "enabled",
			enforce: "privileged"}, "privileged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := CurrentLevel(test.labels); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
