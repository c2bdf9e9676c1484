package sysctl

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// number matches a whole number as the kernel parses it: decimal, hexadecimal after 0x, octal after 0. No "+" and no
// fraction. Source: Linux kernel/sysctl.c, proc_get_long, and lib/kstrtox.c, strtoul with base 0.
var number = regexp.MustCompile(`^-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$`)

// maxNumber is the most characters of one number: the kernel copies it to a buffer of 22 (TMPBUFLEN).
const maxNumber = 21

// Check tells what kernels say to an assignment, as CheckValue does for a value. A floor that is lower than what the
// kernel takes is never written.
func (p *Parameter) Check(a Assignment) (problem, warning string) {
	if a.Operator != AtLeast || !p.isNumeric() {
		return p.CheckValue(a.Value)
	}
	lowest := strconv.FormatInt(p.Bounds[len(p.Bounds)-1].Min, 10)
	fields := strings.Fields(a.Value)
	for i, field := range fields {
		if isLower, ok := isLess64(field, lowest); ok && isLower {
			fields[i] = lowest
		}
	}
	return p.CheckValue(strings.Join(fields, " "))
}

// CheckValue tells what kernels say to a value. problem is set where no supported kernel takes it, warning where some
// do not; both complete a sentence that begins with the sysctl's name.
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
		return "", "takes ports from net.ipv4.ip_unprivileged_port_start on, which is 1024 in a new pod: unless that " +
			"one is set before, the pod will not start"
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
		return true, fmt.Sprintf("takes %s%s, and on some kernels less: every kernel rejects %s", widest(p.Bounds),
			p.unit(), field)
	case len(outside) > 0:
		b := outside[len(outside)-1]
		return false, fmt.Sprintf("takes %s%s on %s: there, the pod will not start with %s", b, p.unit(),
			p.kernelsOf(b), field)
	case p.Usual != nil && !p.Usual.has(field):
		return false, fmt.Sprintf("takes %s in a new pod, since the bounds follow another sysctl: unless that one is "+
			"set before, the pod will not start with %s",
			p.Usual, field)
	case p.dependsOnTicks(field):
		return false, fmt.Sprintf("takes less on a kernel with more ticks a second (CONFIG_HZ): there, the pod will "+
			"not start with %s", field)
	}
	return false, ""
}

// widest returns the bounds that hold on every supported kernel.
func widest(all []Bounds) Bounds {
	wide := all[0]
	for _, b := range all[1:] {
		wide.Min, wide.Max = min(wide.Min, b.Min), max(wide.Max, b.Max)
	}
	return wide
}

// kernelsOf names the kernels that have given bounds.
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
			return fmt.Sprintf("Linux %s and later, up to before %s", from, p.Bounds[i+1].From)
		}
		return fmt.Sprintf("Linux %s and later", from)
	}
	return ""
}

// dependsOnTicks reports whether a time fits into an int only where the kernel has few ticks a second; the most is
// 1000.
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

// greatestPort is the greatest number that a list of ports may have.
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
	return magnitude <= uint64(-(b.Min+1))+1
}

// parseNumber reads digits as the kernel does; ok is false if they are beyond 64 bits.
func parseNumber(digits string) (magnitude uint64, ok bool) {
	magnitude, err := strconv.ParseUint(digits, 0, 64)
	return magnitude, err == nil
}

// isLess64 compares two whole numbers of 64 bits.
func isLess64(a, b string) (isLess, ok bool) {
	x, ok := new(big.Int).SetString(a, 10)
	y, _ := new(big.Int).SetString(b, 10)
	return ok && x.Cmp(y) < 0, ok
}

func isBelow(a, b string) bool {
	first, _ := parseNumber(a)
	second, _ := parseNumber(b)
	return first < second
}

// countFields counts the numbers of a value.
func countFields(value string) int { return len(strings.Fields(value)) }

func count(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
