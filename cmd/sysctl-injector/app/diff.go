package app

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

// printDiff writes a unified diff, in colors for a terminal.
func printDiff(out io.Writer, name string, before, after []byte) error {
	diff := udiff.Unified(name, name, string(before), string(after))
	screen, isTerminal := out.(*terminal)
	if !isTerminal || !screen.colored {
		_, err := io.WriteString(out, diff)
		return err
	}
	for line := range strings.Lines(diff) {
		if err := screen.paint(colorOf(line), line); err != nil {
			return err
		}
	}
	return nil
}

func colorOf(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return green
	case strings.HasPrefix(line, "-"):
		return red
	case strings.HasPrefix(line, "@@"):
		return cyan
	default:
		return reset
	}
}

// printObjects writes the objects of manifests as JSON: one as it is, several as a List, as kubectl does.
func printObjects(out io.Writer, files []file) error {
	var items []json.RawMessage
	err := eachFile(files, func(f file) error {
		objects, err := manifest.Objects(f.content)
		for _, object := range objects {
			items = append(items, object.JSON)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(items) == 1 {
		return printAs(out, outputJSON, items[0])
	}
	return printAs(out, outputJSON, struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}{"v1", "List", items})
}
