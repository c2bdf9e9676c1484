package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"
)

// MaxSize is the maximum size of a manifest, in bytes. The state of a whole cluster is smaller, while a file passed by
// mistake, such as a disk image, is larger.
const MaxSize = 64 << 20

// stream is a parsed manifest.
type stream struct {
	documents []*document
}

// document is a parsed chunk.
type document struct {
	chunk
	json   []byte     // the object as kubectl would send it to the API server; null for an empty document
	root   *yaml.Node // for order and positions; nil for an empty document
	isJSON bool
	crlf   bool  // lines end with CRLF
	starts []int // offset of each line in text
}

func read(in []byte) (*stream, error) {
	if len(in) > MaxSize {
		return nil, fmt.Errorf("the manifest has %d bytes, more than the limit of %d", len(in), MaxSize)
	}
	if !utf8.Valid(in) {
		return nil, errors.New("the manifest is not UTF-8 text")
	}
	s := &stream{}
	var errs []error
	for _, c := range split(string(in)) {
		doc, err := parse(c)
		errs = append(errs, err)
		s.documents = append(s.documents, doc)
	}
	return s, errors.Join(errs...)
}

// parse reads one document. The line numbers in errors count from the start of the stream.
func parse(c chunk) (*document, error) {
	d := &document{chunk: c, json: []byte("null"), starts: lineStarts(c.text), crlf: strings.Contains(c.text, "\r\n")}
	if c.empty {
		return d, nil
	}
	content := bytes.TrimSpace([]byte(c.text[c.body:c.tail]))
	d.isJSON = bytes.HasPrefix(content, []byte("{")) && json.Valid(content)

	source := c.readable()
	if d.isJSON {
		source = withYAMLEscapes(source)
	}
	var err error
	if d.root, err = parseNodes(source); err != nil {
		return nil, c.inStream(err)
	}
	if err := uniqueKeys(d.root, c.lines); err != nil {
		return nil, err
	}
	d.json = content
	if !d.isJSON {
		if d.json, err = kyaml.YAMLToJSON([]byte(source)); err != nil {
			return nil, c.inStream(err)
		}
	}
	return d, nil
}

// lineEnds returns lines with the line ends of the document.
func (d *document) lineEnds(lines string) string {
	if d.crlf {
		return strings.ReplaceAll(lines, "\n", "\r\n")
	}
	return lines
}

// parseNodes parses a text that must contain exactly one document.
func parseNodes(text string) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var root, more yaml.Node
	if err := decoder.Decode(&root); err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("yaml: line %d: a second document starts without ---", more.Line)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return &root, nil
}

// surrogate matches half of a surrogate pair, which JSON uses for some characters. YAML has neither these escapes nor
// an escaped slash.
var surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)

// withYAMLEscapes replaces JSON escapes that YAML does not have by others of the same length. That is safe because the
// nodes of a JSON document are only used for positions.
func withYAMLEscapes(text string) string {
	return strings.ReplaceAll(surrogate.ReplaceAllString(text, `\uE000`), `\/`, `\t`)
}

// parserError matches the start of the YAML parsers' messages. If a message has no line, inStream uses the first line
// of the document.
var parserError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// countsFromZero matches the messages whose line number is one too low: those about grammar, not about characters.
var countsFromZero = regexp.MustCompile(
	`^did not find expected (<document start>|node content|key|',' or|'-' indicator)`)

// inStream changes the line number in a parser's error to count from the start of the stream.
func (c chunk) inStream(err error) error {
	message, line := err.Error(), len(lineStarts(c.text[:c.body]))
	if m := parserError.FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
			if countsFromZero.MatchString(message) {
				line++
			}
		}
	}
	return fmt.Errorf("line %d: %s", c.lines+line, message)
}

// uniqueKeys rejects a mapping with a duplicate key: parsers disagree on which one counts.
func uniqueKeys(n *yaml.Node, offset int) error {
	var errs []error
	seen := map[string]int{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode {
			if first, ok := seen[child.Value]; ok {
				errs = append(errs, fmt.Errorf("line %d: key %q is already set in line %d", offset+child.Line,
					child.Value, offset+first))
			}
			seen[child.Value] = child.Line
		}
		errs = append(errs, uniqueKeys(child, offset))
	}
	return errors.Join(errs...)
}

// lineOf returns the line of the stream where the value at path starts. If the text does not contain the value, it
// returns the line of the closest parent.
func (d *document) lineOf(path []string) int {
	n := d.nodeAt(path)
	if n == nil {
		return d.lines + 1
	}
	return d.lines + n.Line
}

// lineIn returns the line of the stream for one line of the text at path. If the text is not a literal block, it
// returns the line where the text starts.
func (d *document) lineIn(path []string, line int) int {
	start := d.lineOf(path)
	if n := d.nodeAt(path); n != nil && n.Style&yaml.LiteralStyle != 0 && line > 0 {
		return start + line
	}
	return start
}

// nodeAt returns the node at path or its closest parent. It returns nil if the document is empty.
func (d *document) nodeAt(path []string) *yaml.Node {
	if d.root == nil {
		return nil
	}
	n := d.root.Content[0]
	for _, name := range path {
		i := childIndex(resolve(n), name)
		if i < 0 {
			break
		}
		n = resolve(n).Content[i]
	}
	return n
}
