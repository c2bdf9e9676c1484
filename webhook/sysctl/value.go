package sysctl

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// number matches a whole number as the kernel parses it: decimal, hexadecimal after 0x, octal after 0, without "+" or
// fraction. Source: Linux kernel/sysctl.c, proc_get_long, and lib/kstrtox.c, strtoul with base 0.
var number = regexp.MustCompile(`^-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$`)

// maxNumber limits the characters of one number: the kernel copies them to a buffer of 22 bytes (TMPBUFLEN).
const maxNumber = 21

// Check checks an assignment as CheckValue checks a value. A minimum below the kernel's own lower bound is never
// written, so it is not a problem.
func (p *Parameter) Check(a Assignment) (problem, warning string) {
	if a.Operator != AtLeast || !p.isNumeric() {
		return p.CheckValue(a.Value)
	}
	lowest := strconv.FormatInt(p.Bounds[len(p.Bounds)-1].Min, 10)
	fields := strings.Fields(a.Value)
	for i, field := range fields {
		if IsWholeNumber(field) && isLowerNumber(field, lowest) {
			fields[i] = lowest
		}
	}
	return p.CheckValue(strings.Join(fields, " "))
}

// CheckValue checks a value against the supported kernels. It returns a problem if no kernel accepts the value, and a
// warning if some kernels reject it. Both complete a sentence that begins with the sysctl's name.
func (p *Parameter) CheckValue(value string) (problem, warning string) {
	if p.Type == "ports" {
		return p.checkPorts(value), ""
	}
	if !p.isNumeric() {
		if format, ok := formats[p.Name]; ok && !format.isValid(value) {
			return format.text, ""
		}
		return "", conditions[p.Name]
	}
	fields := strings.Fields(value)
	if wanted := countFields(p.Default); wanted > 0 && len(fields) > wanted {
		warning = fmt.Sprintf("takes %s: the kernel ignores the rest of %q", count(wanted, "number"), value)
		fields = fields[:wanted]
	}
	for _, field := range fields {
		if !number.MatchString(field) || len(field) > maxNumber {
			return fmt.Sprintf("takes whole numbers, not %q", field), ""
		}
		isProblem, text := p.checkNumber(field)
		switch {
		case isProblem:
			return text, ""
		case warning == "":
			warning = text
		}
	}
	if p.Name == portRange {
		problem, portWarning := checkPortRange(fields)
		return problem, cmp.Or(portWarning, warning)
	}
	return "", cmp.Or(warning, conditions[p.Name])
}

const portRange = "net.ipv4.ip_local_port_range"

// checkPortRange compares the ports with each other, and with the first unprivileged port of a new network namespace.
// Source: Linux net/ipv4/sysctl_net_ipv4.c, ipv4_local_port_range.
func checkPortRange(fields []string) (problem, warning string) {
	switch {
	case len(fields) > 1 && isBelow(fields[1], fields[0]):
		return "takes the lower port first", ""
	case isBelow(fields[0], "1024"):
		return "", "takes no port below net.ipv4.ip_unprivileged_port_start, which is 1024 in a new pod: unless you " +
			"lower that one first, the pod will not start"
	}
	return "", ""
}

// checkNumber compares a number with the bounds of every supported kernel.
func (p *Parameter) checkNumber(field string) (isProblem bool, text string) {
	var outside, inside []Bounds
	for _, b := range p.Bounds {
		if b.has(field) {
			inside = append(inside, b)
		} else {
			outside = append(outside, b)
		}
	}
	switch {
	case len(inside) == 0 && len(p.Bounds) == 1:
		return true, fmt.Sprintf("takes %s%s: the kernel rejects %s", p.Bounds[0], p.unit(), field)
	case len(inside) == 0:
		return true, fmt.Sprintf("takes %s%s at most: every kernel rejects %s", widest(p.Bounds), p.unit(), field)
	case len(outside) > 0:
		b := outside[len(outside)-1]
		return false, fmt.Sprintf("takes %s%s on %s: there, the pod will not start with %s", b, p.unit(),
			p.kernelsOf(b), field)
	case p.Usual != nil && !p.Usual.has(field):
		return false, fmt.Sprintf("takes %s in a new pod, where another sysctl sets the bounds: unless you set that "+
			"one first, the pod will not start with %s", p.Usual, field)
	case p.dependsOnTicks(field):
		return false, fmt.Sprintf("has a lower maximum on a kernel with a higher tick rate (CONFIG_HZ): there, "+
			"the pod will not start with %s", field)
	}
	return false, ""
}

// widest returns bounds that include those of every supported kernel.
func widest(all []Bounds) Bounds {
	wide := all[0]
	for _, b := range all[1:] {
		wide.Min, wide.Max = min(wide.Min, b.Min), max(wide.Max, b.Max)
	}
	return wide
}

// kernelsOf names the kernels that have the given bounds.
func (p *Parameter) kernelsOf(b Bounds) string {
	for i, other := range p.Bounds {
		if other != b {
			continue
		}
		from := b.From
		if from == "" {
			from = OldestKernel
		}
		if i+1 < len(p.Bounds) {
			return fmt.Sprintf("Linux %s and later, but before %s", from, p.Bounds[i+1].From)
		}
		return fmt.Sprintf("Linux %s and later", from)
	}
	return ""
}

// dependsOnTicks reports whether a time overflows an int on a kernel with a high tick rate. The highest is 1000 ticks
// per second.
func (p *Parameter) dependsOnTicks(field string) bool {
	limit := map[string]uint64{"seconds": math.MaxInt32 / 1000, "milliseconds": math.MaxInt32,
		"hundredths": math.MaxInt32 / 10}[p.Type]
	magnitude, _ := parseNumber(strings.TrimPrefix(field, "-"))
	return limit > 0 && magnitude > limit
}

func (p *Parameter) unit() string {
	switch p.Type {
	case "seconds", "milliseconds":
		return " " + p.Type
	case "hundredths":
		return " hundredths of a second"
	}
	return ""
}

// checkPorts reports what is wrong with a list of ports: "8080,9148-9150".
func (p *Parameter) checkPorts(value string) string {
	limit := p.greatestPort()
	for part := range strings.SplitSeq(value, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, err := strconv.ParseUint(low, 10, 64)
		b, err2 := strconv.ParseUint(high, 10, 64)
		if err != nil || err2 != nil || a > b || b > limit {
			return fmt.Sprintf("takes numbers from 0 to %d and ranges of them, joined by commas: %q is neither",
				limit, part)
		}
	}
	return ""
}

// greatestPort returns the greatest number that a list of ports may contain.
func (p *Parameter) greatestPort() uint64 {
	if p.Name != "net.ipv4.ip_local_reserved_ports" {
		return math.MaxUint8 // ICMP types
	}
	return math.MaxUint16
}

// has reports whether a number is within the bounds.
func (b Bounds) has(field string) bool {
	digits, negative := strings.CutPrefix(field, "-")
	magnitude, ok := parseNumber(digits)
	switch {
	case !ok:
		return false
	case !negative || magnitude == 0:
		return magnitude <= b.Max && (b.Min <= 0 || magnitude >= uint64(b.Min))
	case b.Min >= 0:
		return false
	}
	return magnitude <= uint64(-(b.Min+1))+1 //nolint:gosec // Min is below zero
}

// parseNumber reads digits as the kernel does. ok is false if the number does not fit into 64 bits.
func parseNumber(digits string) (magnitude uint64, ok bool) {
	magnitude, err := strconv.ParseUint(digits, 0, 64)
	return magnitude, err == nil
}

func isBelow(a, b string) bool {
	first, _ := parseNumber(a)
	second, _ := parseNumber(b)
	return first < second
}

func countFields(value string) int { return len(strings.Fields(value)) }

func count(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
