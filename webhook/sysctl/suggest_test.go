package sysctl

import "testing"

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"net.core.somaxcon":             "net.core.somaxconn",
		"net.core.somaxconnn":           "net.core.somaxconn",
		"net.core.somxaconn":            "net.core.somaxconn",
		"net.core.somaxkonn":            "net.core.somaxconn",
		"net.ipv4.conf.eth0.rp_filters": "net.ipv4.conf.eth0.rp_filter",
		"net.ipv4.tcp_fin_timeuot":      "net.ipv4.tcp_fin_timeout",
		"net.core.somaxconn":            "",
		"net.core.backlog":              "",
		"net.ipv4.tcp_retries":          "", // tcp_retries1 or tcp_retries2
	} {
		if got := Suggest(name); got != want {
			t.Errorf("%s: suggests %q, want %q", name, got, want)
		}
	}
}
