package sysctl

import (
	"slices"
	"strconv"
	"strings"
)

// perInterface are the directories that contain one directory per network interface, and nothing else.
//
// Source: Linux net/ipv4/devinet.c, net/ipv6/addrconf.c, net/core/neighbour.c, net/mpls/af_mpls.c.
var perInterface = []string{"net.ipv4.conf.", "net.ipv4.neigh.", "net.ipv6.conf.", "net.ipv6.neigh.", "net.mpls.conf."}

// cutInterface splits a name at its interface: "net.ipv4.conf.", "eth0", ".forwarding". For a name without an
// interface, after is the whole name.
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

// interfaces replace "*" in the catalogue: the entries of every network namespace, and the usual interfaces in a pod
// (eth0 from the CNI plugin, net1 and so on from Multus). The list is fixed, so the set of known names is finite.
var interfaces = []string{"all", "default", "lo", "eth0", "eth1", "net1", "net2", "net3"}

// untagged returns the parameter of the interface to which a VLAN belongs: net.ipv4.conf.eth0.forwarding for
// net.ipv4.conf.eth0/100.forwarding. ok is false if the name is not that of a VLAN of one of interfaces.
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

// IsKnownForInterface reports whether the name is a known parameter of an interface. The interface may be any.
func IsKnownForInterface(name string) bool {
	before, device, after := cutInterface(name)
	return device != "" && IsKnown(before+"eth0"+after)
}
