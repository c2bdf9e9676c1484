package sysctl

import (
	"slices"
	"strconv"
	"strings"
)

// perInterface are the directories that have one directory for each network interface, and nothing else.
//
// Source: Linux net/ipv4/devinet.c, net/ipv6/addrconf.c, net/core/neighbour.c, net/mpls/af_mpls.c.
var perInterface = []string{"net.ipv4.conf.", "net.ipv4.neigh.", "net.ipv6.conf.", "net.ipv6.neigh.", "net.mpls.conf."}

// cutInterface cuts a name around its interface: "net.ipv4.conf.", "eth0", ".forwarding". Of other names, all is
// after it.
func cutInterface(name string) (before, device, after string) {
	for _, directory := range perInterface {
		rest, found := strings.CutPrefix(name, directory)
		if !found {
			continue
		}
		if last := strings.LastIndexByte(rest, '.'); last >= 0 {
			return directory, rest[:last], rest[last:]
		}
	}
	return "", "", name
}

// interfaces are what "*" stands for in namesFile: what every network namespace has, and the usual names in a pod
// (eth0 from the CNI plugin, net1 and so on from Multus). The list is finite, so the number of known names is too.
var interfaces = []string{"all", "default", "lo", "eth0", "eth1", "net1", "net2", "net3"}

// untagged returns the same parameter of an interface for a parameter of one of its VLANs:
// net.ipv4.conf.eth0.forwarding for net.ipv4.conf.eth0/100.forwarding. ok is false for all that is not a VLAN of one
// of the interfaces above.
func untagged(name string) (parameter string, ok bool) {
	before, device, after := cutInterface(name)
	base, tag, tagged := strings.Cut(device, "/")
	if !tagged || !slices.Contains(interfaces, base) || base == "all" || base == "default" || base == "lo" {
		return "", false
	}
	if number, err := strconv.Atoi(tag); err != nil || number < 1 || number > 4094 || strconv.Itoa(number) != tag {
		return "", false
	}
	return before + base + after, true
}

// IsKnownForInterface reports whether the catalogue knows a parameter that interfaces have, whatever the interface of
// the name.
func IsKnownForInterface(name string) bool {
	before, device, after := cutInterface(name)
	return device != "" && IsKnown(before+"eth0"+after)
}
