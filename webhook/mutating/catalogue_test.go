package mutating

import (
	"strconv"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// The policies keep one entry for all interfaces but "all" and "default".
func TestInterfacesAreAlike(t *testing.T) {
	for _, name := range sysctl.KnownNames() {
		before, device, after := sysctl.CutInterface(name)
		if device == "" || device == "all" || device == "default" {
			continue
		}
		first := before + "eth0" + after
		if isSettable(name) != isSettable(first) ||
			takes(name) != takes(first) ||
			isAbsentInUserNamespace(name) != isAbsentInUserNamespace(first) || !sysctl.IsKnown(first) {
			t.Errorf("%s differs from %s", name, first)
		}
	}
}

// The policies compare a number with one pair of bounds, and the webhook with those of each kernel.
func TestBoundsHaveNoGaps(t *testing.T) {
	for _, name := range sysctl.KnownNames() {
		reads, p := sysctl.Reads(name), sysctl.FindParameter(name)
		if reads.Kind != sysctl.Numbers {
			continue
		}
		for _, b := range p.Bounds {
			for _, edge := range []string{strconv.FormatInt(b.Min, 10), strconv.FormatUint(b.Max, 10)} {
				if problem, _ := p.CheckValue(strings.TrimSpace(strings.Repeat(edge+" ",
					max(reads.Count, 1)))); problem != "" {
					t.Errorf("%s: %s: %s", name, edge, problem)
				}
			}
		}
		for i, b := range p.Bounds[1:] {
			if before := p.Bounds[i]; b.Min > 0 && uint64(b.Min) > before.Max ||
				before.Min > 0 && uint64(before.Min) > b.Max {
				t.Errorf("%s: between %s and %s is a gap", name, before, b)
			}
		}
	}
}
