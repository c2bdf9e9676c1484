//go:build linux

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// parameter is one row of a ctl_table in one release.
type parameter struct {
	file       string // the file that registers it
	handler    string // its proc_handler, or the macro of its row
	low, high  string // its extra1 and extra2, as written
	size       string // its maxlen, as written
	writable   bool
	writeOnly  bool
	namespaced bool // each network or IPC namespace has it
}

// release holds the parameters of one kernel release.
type release struct {
	version    string // 6.18
	exact      string // 6.18.32
	tree       string
	defines    map[string]string
	parameters map[string]parameter
	sources    map[string]string // the text of each file with a table, without comments
}

var (
	comments    = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	disabled    = regexp.MustCompile(`(?ms)^#if 0.*?^#endif[^\n]*`)
	directives  = regexp.MustCompile(`(?m)^\s*#(if|ifdef|ifndef|else|elif|endif)\b[^\n]*`)
	tableStart  = regexp.MustCompile(`ctl_table\s+(\w+)\s*\[[^\]]*\]\s*=\s*\{`)
	macroStart  = regexp.MustCompile(`struct (devinet|neigh)_sysctl_table \{[^}]*\}\s*(\w+)(?:\s+__\w+)?\s*=\s*\{`)
	macroEntry  = regexp.MustCompile(`((?:DEVINET|NEIGH)_SYSCTL_\w+)\(\s*(?:\w+,\s*)+"(\w+)"(?:,\s*(\w+))?`)
	fieldStart  = regexp.MustCompile(`^\s*(?:\.(\w+)\s*=)?\s*(.*?)\s*$`)
	versionLine = regexp.MustCompile(`(?m)^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)`)
)

// readRelease reads the parameter tables of a kernel's source tree.
func readRelease(tree string) (*release, error) {
	makefile, err := os.ReadFile(filepath.Join(tree, "Makefile"))
	if err != nil {
		return nil, err
	}
	var numbers []string
	for _, m := range versionLine.FindAllStringSubmatch(string(makefile), -1) {
		numbers = append(numbers, m[2])
	}
	r := &release{
		tree: tree, version: strings.Join(numbers[:2], "."), exact: strings.Join(numbers, "."),
		parameters: map[string]parameter{}, sources: map[string]string{},
	}
	for _, below := range []string{"net", "ipc", "drivers/net/vrf.c"} {
		err := filepath.WalkDir(filepath.Join(tree, below), func(path string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".c" {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(tree, path)
			if err == nil && strings.Contains(string(content), "ctl_table") {
				r.addFile(name, string(content))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *release) addFile(file, text string) {
	text = disabled.ReplaceAllString(comments.ReplaceAllString(text, " "), "")
	text = directives.ReplaceAllString(text, "")
	r.sources[file] = text
	for _, at := range tableStart.FindAllStringSubmatchIndex(text, -1) {
		table := text[at[2]:at[3]]
		folder, ok := folderOf(file, table)
		if !ok {
			continue
		}
		namespaced := !registeredOnce(text, table)
		for _, row := range rows(block(text[at[1]-1:])) {
			r.addRow(file, folder, row, namespaced)
		}
	}
	for _, at := range macroStart.FindAllStringSubmatchIndex(text, -1) {
		folder, _ := folderOf(file, "")
		body := block(text[at[1]-1:])
		for _, m := range macroEntry.FindAllStringSubmatch(body, -1) {
			p := parameter{file: file, handler: m[1], writable: !strings.Contains(m[1], "_RO_"), namespaced: true}
			if m[3] != "" {
				p.handler = m[3]
			}
			r.add(folder, m[2], p)
		}
		if start := strings.Index(body, "NEIGH_VAR_GC_INTERVAL"); start >= 0 {
			// Only the initial namespace has the parameters of the garbage collector.
			for _, row := range rows("{" + body[start-1:]) {
				r.addRow(file, "net/*/neigh/default", row, false)
			}
		}
	}
}

// registeredOnce reports whether a table is registered for the initial network namespace only.
func registeredOnce(text, table string) bool {
	return regexp.MustCompile(`register_net_sysctl\w*\(\s*&init_net\s*,\s*"[^"]*"\s*,\s*` + table +
		`\b`).MatchString(text)
}

func (r *release) addRow(file, folder, row string, namespaced bool) {
	fields := map[string]string{}
	for _, field := range split(row) {
		if m := fieldStart.FindStringSubmatch(field); m != nil && m[1] != "" {
			fields[m[1]] = m[2]
		}
	}
	name := fields["procname"]
	if m := regexp.MustCompile(`\b` + name + `\[\]\s*=\s*("\w+")`).FindStringSubmatch(r.sources[file]); name != "" &&
		!strings.HasPrefix(name, `"`) && m != nil {
		name = m[1]
	}
	name = strings.Trim(name, `"`)
	if name == "" || fields["child"] != "" || strings.Contains(fields["mode"], "0555") {
		return
	}
	mode := fields["mode"]
	r.add(folder, name, parameter{
		file: file, handler: fields["proc_handler"], low: fields["extra1"], high: fields["extra2"],
		size:     fields["maxlen"],
		writable: strings.HasPrefix(mode, "06") || strings.HasPrefix(mode, "02"), namespaced: namespaced,
		writeOnly: mode == "0200",
	})
}

// add records a parameter under its name. A parameter of a neighbour table exists for IPv4 and for IPv6.
func (r *release) add(folder, name string, p parameter) {
	for _, family := range []string{"ipv4", "ipv6"} {
		full := strings.ReplaceAll(strings.Replace(folder, "net/*/", "net/"+family+"/", 1)+"/"+name, "/", ".")
		if known, ok := r.parameters[full]; !ok || p.namespaced && !known.namespaced {
			r.parameters[full] = p
		}
	}
}

// block returns the text from an opening brace to the one that closes it.
func block(text string) string {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i+1]
			}
		}
	}
	return text
}

// rows returns the blocks directly inside a block, without their braces.
func rows(text string) []string {
	var all []string
	for i := 1; i < len(text); i++ {
		if text[i] == '{' {
			row := block(text[i:])
			all = append(all, strings.Trim(row, "{}"))
			i += len(row) - 1
		}
	}
	return all
}

// split splits the fields of a row at commas outside parentheses.
func split(row string) []string {
	var all []string
	depth, from := 0, 0
	for i := range len(row) {
		switch row[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case ',':
			if depth == 0 {
				all = append(all, strings.ReplaceAll(row[from:i], "\n", " "))
				from = i + 1
			}
		}
	}
	return append(all, strings.ReplaceAll(row[from:], "\n", " "))
}
