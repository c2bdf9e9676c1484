package inspect

import (
	"fmt"
	"strings"
)

// Status is how a check ended.
type Status string

const (
	// Passed is for a check that found nothing to change.
	Passed Status = "Passed"
	// Failed is for something that does not work, or does not hold, until it is changed.
	Failed Status = "Failed"
	// Warned is for something that works, or that may be as it is intended.
	Warned Status = "Warning"
	// Unknown is for a check that could not be made. It says nothing about the cluster.
	Unknown Status = "Unknown"
)

// Sections of a report, in the order of its lines.
const (
	SectionKubernetes   = "Kubernetes"
	SectionNodes        = "nodes"
	SectionInstallation = "installation"
	SectionGuard        = "guard"
	SectionPolicies     = "policies"
	SectionNamespaces   = "namespaces"
	SectionGrants       = "grants"
)

// Check is the answer to one question about a cluster.
type Check struct {
	Section string `json:"section"`
	// Name is the same in every version, for scripts.
	Name   string `json:"check"`
	Status Status `json:"status"`
	// Object is what the check is about, as kubectl names it: "namespace/shop". Empty: the cluster.
	Object string `json:"object,omitempty"`
	// Message says what was found, and what it means.
	Message string `json:"message"`
	// Remedy says what to do, and Command is the command that does it, where there is one.
	Remedy  string `json:"remedy,omitempty"`
	Command string `json:"command,omitempty"`
}

// Question is what checks of one name have in common.
type Question struct{ Section, Name string }

// Pass answers that nothing needs to change.
func (q Question) Pass(format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Passed, Message: fmt.Sprintf(format, args...)}
}

// Fail answers that an object does not work as it is.
func (q Question) Fail(object, format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Failed, Object: object, Message: fmt.Sprintf(format,
		args...)}
}

// Warn answers that an object may not be as it is intended.
func (q Question) Warn(object, format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Warned, Object: object, Message: fmt.Sprintf(format,
		args...)}
}

// Unread answers that the caller could not read something.
func (q Question) Unread(what string, err error) Check {
	return Check{
		Section: q.Section, Name: q.Name, Status: Unknown,
		Message: fmt.Sprintf("not checked: %s could not be read: %v", what, err),
		Remedy:  "repeat the check as someone who may read that",
	}
}

// fix adds what to do, and the command that does it, if there is one.
func (c Check) fix(remedy, command string) Check {
	c.Remedy, c.Command = remedy, command
	return c
}

// Counts are how many checks ended in which way.
type Counts struct {
	Passed   int `json:"passed"`
	Failed   int `json:"failed"`
	Warnings int `json:"warnings"`
	Unknown  int `json:"unknown"`
}

// Count counts checks.
func Count(checks []Check) Counts {
	var c Counts
	for _, check := range checks {
		switch check.Status {
		case Passed:
			c.Passed++
		case Failed:
			c.Failed++
		case Warned:
			c.Warnings++
		case Unknown:
			c.Unknown++
		}
	}
	return c
}

// maxNamed is how many names a message lists.
const maxNamed = 5

// list names a few of many.
func list(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

// counted is a number with its noun, which takes an "s" in the plural.
func counted(number int, noun string) string {
	if number == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", number, noun)
}

// shellQuote quotes a word for a POSIX shell, where it needs that.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("._-/:=,@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
