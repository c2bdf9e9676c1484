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
		{"is baseline where nothing is said", nil, "baseline"},
		{"is Pod Security's", map[string]string{podSecurity: "restricted"}, "restricted"},
		{"is Pod Security's, also if that is none", map[string]string{podSecurity: "privileged"}, "privileged"},
		{"is restricted where Pod Security cannot read the label", map[string]string{podSecurity: "restrictd"},
			"restricted"},
		{"is the guard's in an enrolled namespace", map[string]string{podSecurity: "privileged", inject: "enabled",
			enforce: "restricted"}, "restricted"},
		{"is the guard's baseline where only inject is set", map[string]string{podSecurity: "privileged",
			inject: "enabled"}, "baseline"},
		{"is restricted where the guard cannot read the label", map[string]string{podSecurity: "privileged",
			enforce: "strict"}, "restricted"},
		{"is the stricter one of both", map[string]string{podSecurity: "restricted", inject: "enabled",
			enforce: "baseline"}, "restricted"},
		{"is what the administrator chose", map[string]string{podSecurity: "privileged", inject: "enabled",
			enforce: "privileged"}, "privileged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := CurrentLevel(test.labels); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
