package sysctl

import "testing"

func TestLowers(t *testing.T) {
	for _, test := range []struct {
		line  string
		start string
		since string
	}{
		{"net.core.somaxconn = 128", "4096", "5.4"},
		{"net.core.somaxconn = 1024", "4096", "5.4"},
		{"net.core.somaxconn = -1", "4096", "5.4"},
		{"net.core.somaxconn = 4096", "", ""},
		{"net.core.somaxconn = 32768", "", ""},
		{"net.core.somaxconn >= 128", "", ""},
		{"net.ipv4.tcp_rmem = 4096 87380 16777216", "4096 131072 6291456", "4.20"},
		{"net.ipv4.tcp_rmem = 4096 131072 16777216", "", ""},
		{"net.ipv4.tcp_rmem = 4096", "", ""}, // not all numbers are set
		{"kernel.shmmax = 68719476736", "18446744073692774399", "3.16"},
		{"kernel.shmmax = 18446744073709551615", "", ""},
		{"kernel.sem = 250 32000 100 128", "32000 1024000000 500 32000", ""},
		{"net.ipv4.tcp_fin_timeout = 5", "", ""},
		{"vm.max_map_count = 1", "", ""},
	} {
		assignments, problems := Parse(test.line, annotation)
		if len(problems) > 0 {
			t.Fatal(problems.ToAggregate())
		}
		if start, since := assignments[0].Lowers(); start != test.start || since != test.since {
			t.Errorf("%s: lowers %q since %q, want %q since %q", test.line, start, since, test.start, test.since)
		}
	}
}

func TestIsLowerNumber(t *testing.T) {
	for _, ordered := range [][]string{{"-10", "-9", "-1", "0", "1", "9", "10", "9223372036854775807",
		"9223372036854775808", "18446744073709551615"}} {
		for i, a := range ordered {
			for j, b := range ordered {
				if isLowerNumber(a, b) != (i < j) {
					t.Errorf("%s is lower than %s: %t", a, b, isLowerNumber(a, b))
				}
			}
		}
	}
}
