package sysctl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	blanks = " \t"

	// maxEcho limits how much of the user's text an error repeats, in bytes: an annotation may hold 256 KiB.
	maxEcho = 64
)

// Parse reads sysctl.conf(5) lines in order: "name = value", or "name >= value", which only raises the value. It skips
// blank lines and lines that start with "#" or ";", and drops the "\r" of a CRLF file. With a "-" before the name, a
// kernel that lacks the parameter is not an error; unlike in sysctl.conf, all other errors still count, and only some
// names may have the "-". A name without "=" and a text without any assignment are errors: a parameter must never be
// left unset silently.
//
// Parse returns either assignments or all problems, each as a field.Error at path with the line in its detail. It
// counts the assignments after MaxAssignments but does not read them, which limits the response to a hostile text.
func Parse(text string, path *field.Path) ([]Assignment, field.ErrorList) {
	var (
		assignments = make([]Assignment, 0, min(strings.Count(text, "\n")+1, MaxAssignments))
		problems    field.ErrorList
		requested   int // lines with an assignment, read or not
		surplus     int // line number of the first assignment after MaxAssignments
	)
	for number, rest, more := 1, text, true; more; number++ {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		line = strings.Trim(strings.TrimSuffix(line, "\r"), blanks)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		requested++
		if requested > MaxAssignments {
			if surplus == 0 {
				surplus = number
			}
			continue
		}
		assignment, problem := parseLine(line, number, path)
		if problem == nil {
			problem = checkDuplicate(assignments, assignment, path)
		}
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		assignments = append(assignments, assignment)
	}
	switch {
	case requested == 0:
		problems = append(problems, field.Required(path,
			`it asks for no sysctl: write at least one line such as "net.core.somaxconn = 1024", or remove it`))
	case surplus > 0:
		problem := field.TooMany(path, requested, MaxAssignments)
		problem.Detail = fmt.Sprintf("at most %d assignments are allowed: remove %d, from line %d on",
			MaxAssignments, requested-MaxAssignments, surplus)
		problems = append(problems, problem)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return assignments, nil
}

// parseLine reads one assignment from a trimmed line that is not a comment.
func parseLine(line string, number int, path *field.Path) (Assignment, *field.Error) {
	invalid := func(value, format string, args ...any) *field.Error {
		return field.Invalid(path, shorten(value), fmt.Sprintf("line %d: ", number)+fmt.Sprintf(format, args...))
	}
	left, right, found := strings.Cut(line, "=")
	if !found {
		return Assignment{}, invalid(line, `there is no "=": write one "name = value" a line`)
	}
	assignment := Assignment{Line: number}
	left, operator := cutOperator(left, right)
	switch operator {
	case "=":
	case ">=":
		assignment.Operator = AtLeast
	default:
		return Assignment{}, invalid(line, `%q is not an operator: write "name = value", or "name >= value" to only `+
			"raise a value", operator)
	}
	left, assignment.Optional = strings.CutPrefix(left, "-")
	name, err := ParseName(left)
	if err == nil && assignment.Optional {
		err = checkOptional(name)
	}
	if err != nil {
		return Assignment{}, invalid(left, "%s", err)
	}
	value := foldBlanks(strings.TrimLeft(right, blanks))
	if value == "" {
		return Assignment{}, field.Required(path, fmt.Sprintf(`line %d: %s has no value: write "name %s value"`,
			number, shorten(name), assignment.Operator))
	}
	if longest := MaxValueLengthOf(name); len(value) > longest {
		return Assignment{}, invalid(value, "a value has at most %d characters, this one has %d", longest, len(value))
	}
	if at := badInValue(value); at >= 0 {
		return Assignment{}, invalid(value, "the character %s is not allowed in a value%s; allowed are A-Z a-z 0-9 _ "+
			"space , : . / + -", quoteAt(value, at), hints[value[at]])
	}
	if assignment.Operator == AtLeast {
		if err := checkNumbers(value); err != nil {
			return Assignment{}, invalid(value, "%s", err)
		}
	}
	assignment.Name, assignment.Value = name, value
	return assignment, nil
}

// cutOperator returns the name and the operator of a line. left and right are the text before and after the first "=".
// It finds every operator that someone may write, so that an error can name it.
func cutOperator(left, right string) (name, operator string) {
	const notInValues = "<>!~"
	name = strings.TrimRight(left, blanks+notInValues+":+")
	after := right[:len(right)-len(strings.TrimLeft(right, "="+notInValues))]
	before := strings.TrimLeft(left[len(name):], blanks)
	if before == "" {
		return name, "=" + after
	}
	return name, before + "=" + after
}

// hints explain how to do without characters that people write for a reason.
var hints = map[byte]string{
	'#':  " (a comment needs a line of its own)",
	';':  " (a comment, or another assignment, needs a line of its own)",
	'"':  " (quotes are not needed)",
	'\'': " (quotes are not needed)",
	'=':  " (another assignment needs a line of its own)",
	'$':  " (it is set as written: no shell, no variables)",
	'`':  " (it is set as written: no shell, no variables)",
	'>':  ` (write a minimum as "name >= value")`,
}

// checkDuplicate compares the name with those before it. They are so few that a map would be slower.
func checkDuplicate(before []Assignment, a Assignment, path *field.Path) *field.Error {
	for _, b := range before {
		if b.Name == a.Name {
			problem := field.Duplicate(path, shorten(a.Name))
			problem.Detail = fmt.Sprintf("line %d: line %d sets it already: keep one of them", a.Line, b.Line)
			return problem
		}
	}
	return nil
}

// foldBlanks turns each run of spaces and tabs into one space. It returns a value without such runs, the usual case,
// unchanged.
func foldBlanks(value string) string {
	if !strings.Contains(value, "\t") && !strings.Contains(value, "  ") {
		return value
	}
	var folded strings.Builder
	folded.Grow(len(value))
	for i := range len(value) {
		c := value[i]
		if c == ' ' || c == '\t' {
			if value[i-1] == ' ' || value[i-1] == '\t' { // i > 0: the value is trimmed
				continue
			}
			c = ' '
		}
		folded.WriteByte(c)
	}
	return folded.String()
}

// badInValue returns the index of the first byte that is not allowed in a value, or -1.
func badInValue(value string) int {
	for i := range len(value) {
		switch c := value[i]; {
		case isLower(c), isUpper(c), isDigit(c):
		case c == '_', c == ' ', c == ',', c == ':', c == '.', c == '/', c == '+', c == '-':
		default:
			return i
		}
	}
	return -1
}

// shorten cuts a text to maxEcho bytes, at the start of a character.
func shorten(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	cut := maxEcho
	for cut > maxEcho-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
