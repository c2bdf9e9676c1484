package app

import (
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/tidwall/gjson"

	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
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
	diff := correctHunks(udiff.Unified(name, name, string(before), string(after)))
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

var hunkHeader = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+(\d+)((?:,(\d+))? @@\n)$`)

// correctHunks corrects the start lines of hunks in the new text: go-udiff v0.4 does not count the lines between two
// changes of one hunk.
func correctHunks(diff string) string {
	var corrected strings.Builder
	shift, isFirst := 0, true
	for line := range strings.Lines(diff) {
		header := hunkHeader.FindStringSubmatch(line)
		if header == nil {
			corrected.WriteString(line)
			continue
		}
		if from, err := strconv.Atoi(header[1]); err == nil && !isFirst {
			line = strings.Replace(line, " +"+header[3]+header[4], " +"+strconv.Itoa(from+shift)+header[4], 1)
		}
		isFirst = false
		shift += countOf(header[5]) - countOf(header[2])
		corrected.WriteString(line)
	}
	return corrected.String()
}

// countOf reads the number of lines in a hunk's header, which omits a 1.
func countOf(text string) int {
	count, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return count
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

// printObjects writes the objects of manifests as JSON. Several objects become a List, as with kubectl. It leaves out
// documents without apiVersion and kind, which kubectl would reject.
func printObjects(out io.Writer, files []file) error {
	items := []json.RawMessage{}
	err := eachFile(files, func(f file) error {
		objects, err := manifest.Objects(f.content)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if object.APIVersion == "" || object.Kind == "" {
				continue
			}
			item, err := withKind(object)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
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

// withKind returns an object's JSON with apiVersion and kind, which the items of a typed list (PodList) lack.
func withKind(o manifest.Object) (json.RawMessage, error) {
	if gjson.GetBytes(o.JSON, "kind").String() != "" {
		return o.JSON, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(o.JSON, &fields); err != nil {
		return nil, err
	}
	fields["apiVersion"] = jsontext.AppendString(nil, o.APIVersion)
	fields["kind"] = jsontext.AppendString(nil, o.Kind)
	return json.Marshal(fields)
}
