package mutating_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

var (
	randomSeed = flag.Uint64("random-seed", 0, "seed of the random pods; 0 takes the clock")
	randomPods = flag.Int("random-pods", 150, "how many random pods are made, and how many random annotations")
)

func newRandom(t *testing.T) *rand.Rand {
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to see the same again: -args -random-seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// The policies change random pods in the same way as the webhook.
func TestRandomPods(t *testing.T) {
	t.Parallel()
	random := randompod.Generator{Rand: newRandom(t)}
	s := makeSides(t, map[string]string{"example.com/trust": "everything"})
	admitted := 0
	for i := range *randomPods {
		pod, _ := random.Pod(fmt.Sprintf("random-%d", i))
		switch random.IntN(8) {
		case 0:
			pod.Annotations[v1alpha1.ModeAnnotation] = "verify"
		case 1:
			pod.Spec.HostUsers, pod.Spec.HostPID = new(false), false
		case 2:
			pod.Spec.RuntimeClassName = new([]string{guestClass, labelledClass, nodeClass}[random.IntN(3)])
		case 3:
			pod.Annotations[v1alpha1.ProfilesAnnotation] = []string{"nginx", "kafka, same-ports", "redis,nginx",
				"haproxy", "other-nginx"}[random.IntN(5)]
		}
		if rejected, _ := s.compare(t, pod); rejected == "" {
			admitted++
		}
	}
	t.Logf("%d of %d admitted", admitted, *randomPods)
}

// The policies decide on nearly valid annotations as the webhook does.
func TestRandomAnnotations(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	trusted, bounded := makeSides(t, map[string]string{"example.com/trust": "everything"}),
		makeSides(t, map[string]string{"example.com/trust": "bounds"})
	known := sysctl.KnownNames()
	admitted := 0
	for i := range *randomPods {
		var text strings.Builder
		for range 1 + random.IntN(3) {
			text.WriteString(line(random, known))
		}
		pod := newPod(text.String())
		switch random.IntN(6) {
		case 0:
			pod.Spec.RuntimeClassName = new([]string{guestClass, labelledClass, nodeClass}[random.IntN(3)])
		case 1:
			pod.Spec.HostUsers = new(false)
		case 2:
			pod.Spec.HostNetwork, pod.Spec.HostIPC = random.IntN(2) == 0, random.IntN(2) == 0
		}
		s := trusted
		if i%3 == 0 {
			s = bounded
		}
		if rejected, _ := s.compare(t, pod); rejected == "" {
			admitted++
		}
	}
	t.Logf("%d of %d admitted", admitted, *randomPods)
}

// line returns a valid or nearly valid line of an annotation.
func line(random *rand.Rand, known []string) string {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	name := pick(pick(known...), pick(known...), pick(known...),
		"net.core.somaxconn", "net.ipv4.ip_local_port_range", "kernel.sem", "kernel.shmmax",
		"net.ipv4.tcp_congestion_control", "vm.max_map_count",
		"net.ipv4.conf.eth0.100.forwarding", "net/ipv4/conf/eth0.4095/forwarding", "net.ipv4.conf.veth7.forwarding",
		"net.ipv6.neigh.any.gc_stale_time",
		"net.netfilter.nf_conntrack_buckets", "net.core.unheard_of", "net.core.somaxcon", "Net.core.x", "net..core",
		"net/core.x/y", "somaxconn", "net.ipv4.conf.x/y.z")
	if random.IntN(6) == 0 {
		name = strings.ReplaceAll(name, ".", "/")
	}
	value := pick("0", "1", "2", "10", "1000", "1001", "65535", "262144", "262145", "-1", "4096 8192 16384", "1\t2",
		"18446744073709551615", "9223372036854775808",
		"cubic", "dctcp", "bbr", "a b", "1,2-3", "", "1 2 3 4 5", "2147483647", "2147483648", "-2147483649", "1;2", "ü",
		`"1"`, strings.Repeat("1", 257))
	return pick("", "", "", " ", "\t", "# a comment\n", "\n") + pick("", "", "", "", "-", "- ") + name +
		pick("=", " = ", "=", " >= ", ">=", ":=", " ", " > =", "==") +
		value + pick("\n", "\n", "\r\n", " \n", " # x\n", ";\n")
}
