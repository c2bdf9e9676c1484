package sysctl

import (
	"slices"
	"strings"
	"testing"
)

func TestIsKnown(t *testing.T) {
	for name, want := range map[string]bool{
		"net.core.somaxconn":              true,
		"net.ipv4.tcp_rmem":               true,
		"net.ipv4.conf.eth0.rp_filter":    true,
		"net.ipv4.conf.all.forwarding":    true,
		"net.ipv6.neigh.net1.app_solicit": true,
		"net.ipv4.vs.conn_reuse_mode":     true,
		"kernel.sem":                      true,
		"fs.mqueue.msg_max":               true,
		"vm.max_map_count":                true,
		"kernel.core_pattern":             true,

		"net.ipv4.conf.eth0/100.rp_filter":         true,
		"net.ipv6.neigh.net3/4094.retrans_time_ms": true,

		"net.ipv4.conf.eth0/0.rp_filter":     false,
		"net.ipv4.conf.eth0/01.rp_filter":    false,
		"net.ipv4.conf.eth0/4095.rp_filter":  false,
		"net.ipv4.conf.eth0/+1.rp_filter":    false,
		"net.ipv4.conf.eth0/100/5.rp_filter": false,
		"net.ipv4.conf.lo/100.rp_filter":     false,
		"net.ipv4.conf.all/100.rp_filter":    false,
		"net.ipv4.conf.x1/100.rp_filter":     false,
		"net.ipv4.conf.eth0/100.rp_filters":  false,
		"net.ipv4.neigh.lo.ucast_solicit":    true,
		"net.ipv4.neigh.all.app_solicit":     false,
		"net.ipv4.tcp_tw_recycle":            false,
		"net.ipv4.tcp_avoid_spurious_rto":    false,
		"net.core.somaxcon":                  false,
		"net.x1":                             false,
		"net.ipv4.conf.x1.rp_filter":         false,
		"net.ipv4.conf.*.rp_filter":          false,
		"net.ipv4.conf.eth0.rp_filters":      false,
		"net.tipc.x1":                        false,
		"kernel.panic_x1":                    false,
		"kernel.shm_x1":                      false,
	} {
		if got := IsKnown(name); got != want {
			t.Errorf("%s: known %t, want %t", name, got, want)
		}
	}
}

func TestIsKnownForInterface(t *testing.T) {
	for name, want := range map[string]bool{
		"net.ipv4.conf.x1.rp_filter":        true,
		"net.ipv6.neigh.x1/2/3.app_solicit": true,
		"net.ipv4.conf.x1.rp_filters":       false,
		"net.core.somaxconn":                false,
		"net.ipv4.neigh.x1.rp_filter":       false,
	} {
		if got := IsKnownForInterface(name); got != want {
			t.Errorf("%s: known for some interface %t, want %t", name, got, want)
		}
	}
}

func TestIsKnownOfKnown(t *testing.T) {
	for entry := range Known() {
		if !IsKnown(entry.Name) {
			t.Errorf("%s is not known", entry.Name)
		}
	}
}

func TestNamesFile(t *testing.T) {
	names := strings.Split(strings.TrimSuffix(namesFile, "\n"), "\n")
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("names.txt is not sorted, or has a name twice")
	}
	for _, name := range names {
		if _, err := ParseName(strings.Replace(name, "*", "eth0", 1)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
