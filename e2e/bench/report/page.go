// Package report writes down what was measured: a section of a Markdown page, figures as JSON beside it, and charts.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Report is what one command has to say.
type Report struct {
	// Name names the page's section, the file of figures and the charts.
	Name    string
	Machine Machine
	// Figures are everything that was measured, for JSON.
	Figures any
	// Section is Markdown: what the page shows.
	Section string
	Charts  map[string]Chart // by file name, without its ending
}

// Write regenerates the section of docs/benchmarks.md, docs/benchmarks/NAME.json and docs/images/CHART.svg. The page
// keeps what people have written around the section.
func (r Report) Write(docs string) error {
	page := filepath.Join(docs, "benchmarks.md")
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	renewed, err := ReplaceSection(string(old), r.Name,
		fmt.Sprintf("%s\n\n%s", r.Machine, strings.TrimSpace(r.Section)))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	encoded, err := json.MarshalIndent(map[string]any{"machine": r.Machine, "figures": r.Figures}, "", "\t")
	if err != nil {
		return err
	}
	files := map[string][]byte{
		page: []byte(renewed),
		filepath.Join(docs, "benchmarks", r.Name+".json"): append(encoded, '\n'),
	}
	for name, chart := range r.Charts {
		files[filepath.Join(docs, "images", name+".svg")] = chart.SVG()
	}
	var errs []error
	for path, content := range files {
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644))
	}
	return errors.Join(errs...)
}

// ReplaceSection replaces what a page has between the two lines that mark a section.
func ReplaceSection(page, name, section string) (string, error) {
	before, _, after, err := cut(page, name)
	return before + section + "\n" + after, err
}

// Section returns what a page has between the two lines that mark a section.
func Section(page, name string) (string, error) {
	_, section, _, err := cut(page, name)
	return section, err
}

func cut(page, name string) (before, section, after string, err error) {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	start := strings.Index(page, begin) + len(begin)
	length := strings.Index(page[start:], end)
	if !strings.Contains(page, begin) || length < 0 {
		return "", "", "", fmt.Errorf("has no lines %q and %q around a section", strings.TrimSpace(begin),
			strings.TrimSpace(end))
	}
	return page[:start], page[start : start+length], page[start+length:], nil
}

// Machine is where and when it was measured.
type Machine struct {
	Date       string `json:"date"`
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Load       string `json:"load"` // average of the last minute, before
}

// ThisMachine is called before anything is measured.
func ThisMachine() (Machine, error) {
	m := Machine{Date: time.Now().Format("2 January 2006"), Processors: runtime.NumCPU(), Go: runtime.Version()}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	for line := range bytes.Lines(cpu) {
		if name, value, _ := strings.Cut(string(line), ":"); strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.Kernel, _, _ = strings.Cut(strings.TrimSpace(string(release)), "-")
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m, err
	}
	m.Load, _, _ = strings.Cut(string(load), " ")
	return m, nil
}

func (m Machine) String() string {
	return fmt.Sprintf("*%s; %d processors (%s), Linux %s, %s; load average before: %s.*", m.Date, m.Processors,
		m.Processor, m.Kernel, m.Go, m.Load)
}
