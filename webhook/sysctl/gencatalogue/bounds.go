//go:build linux

package main

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// bounds are the least and the greatest value of each number, or nil if unknown.
type bounds struct{ low, high *big.Int }

func (b bounds) known() bool { return b.low != nil && b.high != nil }

func (b bounds) equal(other bounds) bool {
	return b.known() && other.known() && b.low.Cmp(other.low) == 0 && b.high.Cmp(other.high) == 0
}

func (b bounds) String() string {
	if !b.known() {
		return "?"
	}
	return fmt.Sprintf("%v..%v", b.low, b.high)
}

func between(low int64, high uint64) bounds {
	return bounds{big.NewInt(low), new(big.Int).SetUint64(high)}
}

// lowestHZ is the lowest tick rate of a kernel. Such a kernel accepts the longest times.
const lowestHZ = 100

// kind is the type that a handler reads, and its bounds if the table gives none.
type kind struct {
	word string
	of   bounds
}

var (
	anyInt   = kind{"int", between(math.MinInt32, math.MaxInt32)}
	seconds  = kind{"seconds", between(-(math.MaxInt32 / lowestHZ), math.MaxInt32/lowestHZ)}
	millis   = kind{"milliseconds", between(0, math.MaxInt32)} // msecs_to_jiffies: negative means infinite
	ticks    = kind{"hundredths", between(math.MinInt32, math.MaxInt32)}
	anyUlong = kind{"ulong", between(0, math.MaxUint64)}
)

// kinds maps the shared handlers, which kernel/sysctl.c defines, and the macros of tables to their kinds. The bounds of
// other handlers are measured on the running kernel.
var kinds = map[string]kind{
	"proc_dointvec":                          anyInt,
	"proc_dointvec_minmax":                   anyInt,
	"DEVINET_SYSCTL_RW_ENTRY":                anyInt,
	"DEVINET_SYSCTL_FLUSHING_ENTRY":          anyInt,
	"proc_dou8vec_minmax":                    {"u8", between(0, math.MaxUint8)},
	"proc_dobool":                            {"bool", between(0, 1)},
	"proc_douintvec":                         {"uint", between(0, math.MaxUint32)},
	"proc_douintvec_minmax":                  {"uint", between(0, math.MaxUint32)},
	"proc_doulongvec_minmax":                 anyUlong,
	"proc_dointvec_jiffies":                  seconds,
	"proc_dointvec_ms_jiffies":               millis,
	"proc_dointvec_userhz_jiffies":           ticks,
	"NEIGH_SYSCTL_JIFFIES_ENTRY":             seconds,
	"NEIGH_SYSCTL_MS_JIFFIES_ENTRY":          millis,
	"NEIGH_SYSCTL_MS_JIFFIES_REUSED_ENTRY":   millis,
	"NEIGH_SYSCTL_USERHZ_JIFFIES_ENTRY":      ticks,
	"NEIGH_SYSCTL_ZERO_INTMAX_ENTRY":         {"int", between(0, math.MaxInt32)},
	"NEIGH_SYSCTL_MS_JIFFIES_POSITIVE_ENTRY": {"milliseconds", between(1, math.MaxInt32)},
	"proc_ipc_dointvec":                      anyInt,
	"proc_ipc_dointvec_minmax":               anyInt,
	"proc_ipc_doulongvec_minmax":             anyUlong,
	"proc_mq_dointvec":                       anyInt,
	"proc_mq_dointvec_minmax":                anyInt,
	"brnf_sysctl_call_tables":                anyInt, // stores any number other than 0 as 1
	"ipv4_local_port_range":                  {"int", between(1, 65535)},
	"ipv4_privileged_ports":                  {"int", between(0, 65535)},
	"ipv4_ping_group_range":                  {"uint", between(0, math.MaxInt32)},
	"proc_dostring":                          {"text", bounds{}},
	"proc_do_large_bitmap":                   {"ports", bounds{}},
	"rps_default_mask_sysctl":                {"mask", bounds{}},
}

// constants are the values of constants that every file of the kernel can use.
var constants = map[string]int64{
	"SYSCTL_NEG_ONE": -1, "SYSCTL_ZERO": 0, "SYSCTL_ONE": 1, "SYSCTL_TWO": 2, "SYSCTL_THREE": 3, "SYSCTL_FOUR": 4,
	"SYSCTL_ONE_HUNDRED": 100, "SYSCTL_TWO_HUNDRED": 200,
	"SYSCTL_ONE_THOUSAND": 1000, "SYSCTL_THREE_THOUSAND": 3000,
	"SYSCTL_INT_MAX": math.MaxInt32, "SYSCTL_MAXOLDUID": 65535,
	"SYSCTL_LONG_ZERO": 0, "SYSCTL_LONG_ONE": 1, "SYSCTL_LONG_MAX": math.MaxInt64,
}

// declared returns the type of a parameter and its bounds, as the source of a release declares them.
func (r *release) declared(name string) (string, bounds) {
	p := r.parameters[name]
	k, shared := kinds[strings.TrimPrefix(p.handler, "&")]
	if !shared {
		return "", bounds{}
	}
	if strings.HasPrefix(p.handler, "ipv4_") {
		return k.word, k.of
	}
	b := k.of
	if !b.known() || k.word == "seconds" || k.word == "milliseconds" || k.word == "hundredths" ||
		strings.Contains(p.handler, "ENTRY") || p.handler == "proc_dointvec" || p.handler == "proc_douintvec" {
		return k.word, b
	}
	for _, end := range []struct {
		text string
		to   **big.Int
		wide bool
	}{{p.low, &b.low, false}, {p.high, &b.high, true}} {
		if end.text == "" || end.text == "NULL" {
			continue
		}
		if strings.HasPrefix(end.text, "&init_net.") { // the value of another parameter
			continue
		}
		value := r.value(p.file, end.text)
		if value == nil {
			return k.word, bounds{}
		}
		if !end.wide && value.Cmp(*end.to) > 0 || end.wide && value.Cmp(*end.to) < 0 {
			*end.to = value
		}
	}
	return k.word, b
}

var (
	cast   = regexp.MustCompile(`\((?:void \*|unsigned long|unsigned int|int|long|u32|u8)\)`)
	suffix = regexp.MustCompile(`\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b`)
	word   = regexp.MustCompile(`\b[A-Za-z_]\w*\b`)
	bit    = regexp.MustCompile(`\bBIT\(([^()]+)\)`)
)

// value evaluates extra1 or extra2 as written in a file. It returns nil if that is not a constant of the file.
func (r *release) value(file, text string) *big.Int {
	text = strings.TrimSpace(cast.ReplaceAllString(text, ""))
	if v, ok := constants[text]; ok {
		return big.NewInt(v)
	}
	name, isVariable := strings.CutPrefix(text, "&")
	if !isVariable || !word.MatchString(name) || strings.ContainsAny(name, ".[-") {
		return nil
	}
	statement := regexp.MustCompile(`(?m)^\s*(?:static|const|unsigned|int|long|u8|u32)\b[^;()]*\b` + name +
		`\b[^;]*;`).FindString(r.sources[file])
	if statement == "" {
		return nil
	}
	m := regexp.MustCompile(`\b` + name + `\b(?:\s+__\w+)?\s*=\s*([^;,]+)`).FindStringSubmatch(statement)
	if m == nil {
		return big.NewInt(0) // a static variable without a value
	}
	return r.evaluate(m[1], 3)
}

func (r *release) evaluate(text string, depth int) *big.Int {
	text = bit.ReplaceAllString(suffix.ReplaceAllString(cast.ReplaceAllString(text, ""), "$1"), "(1<<($1))")
	var unknown bool
	text = word.ReplaceAllStringFunc(text, func(name string) string {
		known := map[string]string{
			"INT_MAX": "2147483647", "UINT_MAX": "4294967295", "U8_MAX": "255", "U16_MAX": "65535",
			"USHRT_MAX": "65535", "U32_MAX": "4294967295",
			"LONG_MAX": "9223372036854775807", "ULONG_MAX": "18446744073709551615", "MAXTTL": "255",
			"MAX_TCP_SYNCNT": "127", "ULLONG_MAX": "18446744073709551615",
		}
		switch value, ok := known[name]; {
		case ok:
			return value
		case depth > 0 && r.define(name) != "":
			if v := r.evaluate(r.define(name), depth-1); v != nil {
				return "(" + v.String() + ")"
			}
		}
		unknown = true
		return name
	})
	if unknown {
		return nil
	}
	result, err := types.Eval(token.NewFileSet(), nil, token.NoPos, strings.TrimSpace(text))
	if err != nil || result.Value == nil {
		return nil
	}
	v, ok := new(big.Int).SetString(constant.ToInt(result.Value).ExactString(), 10)
	if !ok {
		return nil
	}
	return v
}

var defineLine = regexp.MustCompile(`(?m)^#define[ \t]+([A-Z_0-9]+)[ \t]+([^\n]+)`)

// define returns the text that a header of the release, or a file with a table, defines for a name.
func (r *release) define(name string) string {
	if r.defines == nil {
		r.defines = map[string]string{}
		for _, folder := range []string{"net", "linux", "uapi/linux"} {
			headers, _ := filepath.Glob(filepath.Join(r.tree, "include", folder, "*.h"))
			for _, header := range headers {
				content, _ := os.ReadFile(header)
				r.addDefines(comments.ReplaceAllString(string(content), " "))
			}
		}
		for _, text := range r.sources {
			r.addDefines(text)
		}
	}
	return r.defines[name]
}

func (r *release) addDefines(text string) {
	for _, m := range defineLine.FindAllStringSubmatch(text, -1) {
		r.defines[m[1]] = strings.TrimSpace(m[2])
	}
}

// widest returns the widest possible bounds of a parameter whose bounds are not constant or whose handler is not
// shared: the range that its handler, or the shared handler that it calls, can read.
func (r *release) widest(name string) bounds {
	p := r.parameters[name]
	if k, ok := kinds[strings.TrimPrefix(p.handler, "&")]; ok {
		return k.of
	}
	for _, m := range sharedHandler.FindAllStringSubmatch(r.function(p.file, p.handler), -1) {
		if k, ok := kinds[m[0]]; ok && k.of.known() {
			return k.of
		}
	}
	return bounds{}
}

var sharedHandler = regexp.MustCompile(`\bproc_(ipc_)?do(u?int|u8|ulong)vec\w*`)

// sameHandler reports whether two releases have the same handler function for a parameter, with the same bounds. It is
// for handlers that are not shared.
func sameHandler(a, b *release, name string) bool {
	p, q := a.parameters[name], b.parameters[name]
	if p.handler != q.handler || p.handler == "" {
		return false
	}
	for _, ends := range [][2]string{{p.low, q.low}, {p.high, q.high}} {
		if ends[0] == "" && ends[1] == "" {
			continue
		}
		v, w := a.value(p.file, ends[0]), b.value(q.file, ends[1])
		if v == nil || w == nil || v.Cmp(w) != 0 {
			return false
		}
	}
	body := a.function(p.file, p.handler)
	return body != "" && body == b.function(q.file, q.handler)
}

var spaces = regexp.MustCompile(`\s+`)

// function returns the body of a function without the details that changed across the whole kernel: const tables,
// pointers to user space, READ_ONCE and WRITE_ONCE.
func (r *release) function(file, name string) string {
	text := r.sources[file]
	at := regexp.MustCompile(`(?m)^[\w \t*]*\b` + name + `\s*\([^;{]*\)\s*\{`).FindStringIndex(text)
	if at == nil {
		return ""
	}
	body := block(text[at[1]-1:])
	for _, drop := range []string{"const ", "__user ", "READ_ONCE", "WRITE_ONCE", "(", ")"} {
		body = strings.ReplaceAll(body, drop, " ")
	}
	return spaces.ReplaceAllString(body, " ")
}
