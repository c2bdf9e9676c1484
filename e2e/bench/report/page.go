// Package report writes down what was measured: for the terminal, and as a section of a Markdown page with charts.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Report is the result of one command.
type Report struct {
	Name  string // of the page's section
	Parts []Part // in their order
}

// Part is a Table, a Text or a Picture.
type Part interface {
	// Print writes the part for a terminal.
	Print(out io.Writer) error
	// Markdown is the part for a page.
	Markdown() string
}

// Text is a paragraph.
type Text string

// Print implements Part.
func (t Text) Print(out io.Writer) error {
	_, err := fmt.Fprintln(out, t)
	return err
}

// Markdown implements Part.
func (t Text) Markdown() string { return string(t) }

// Picture is a chart, which a terminal does not show.
type Picture struct {
	Alt, File string // File is without its ending
	Chart     Chart
}

// Print implements Part.
func (Picture) Print(io.Writer) error { return nil }

// Markdown implements Part.
func (p Picture) Markdown() string { return fmt.Sprintf("![%s](images/%s.svg)", p.Alt, p.File) }

// Publish prints the report. Where docs is not empty it also regenerates the section of docs/benchmarks.md and the
// charts in docs/images. The page keeps what people have written around the section.
func (r Report) Publish(machine Machine, out io.Writer, docs string) error {
	section := []string{machine.String()}
	files := map[string][]byte{}
	for _, part := range r.Parts {
		if err := part.Print(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
		section = append(section, strings.TrimSpace(part.Markdown()))
		if picture, is := part.(Picture); is {
			files[filepath.Join(docs, "images", picture.File+".svg")] = picture.Chart.SVG()
		}
	}
	if docs == "" {
		return nil
	}
	page := filepath.Join(docs, "benchmarks.md")
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	renewed, err := ReplaceSection(string(old), r.Name, strings.Join(section, "\n\n"))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	files[page] = []byte(renewed)
	var errs []error
	for path, content := range files {
		errs = append(errs, os.WriteFile(path, content, 0o644))
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
	Date, Processor string
	Processors      int
	Kernel, Go      string
	Load            string // average of the last minute, before
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
