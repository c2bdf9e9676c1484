package sysctl

import "testing"

func TestLoadsModule(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"net.ipv4.tcp_congestion_control", "cubic", ""},
		{"net.ipv4.tcp_congestion_control", "bbr", ""},
		{"net.ipv4.tcp_congestion_control", "reno", ""},
		{"net.ipv4.tcp_congestion_control", "htcp", "tcp_htcp"},
		{"net.ipv4.tcp_congestion_control", "diag", "tcp_diag"},
		{"net.ipv4.tcp_congestion_control", "cubic reno", "tcp_cubic reno"},
		{"net.core.somaxconn", "htcp", ""},
	} {
		if got := LoadsModule(test.name, test.value); got != test.want {
			t.Errorf("%s = %s loads %q, want %q", test.name, test.value, got, test.want)
		}
	}
}
