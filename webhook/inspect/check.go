package inspect

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Status is the result of a check.
type Status string

const (
	// Passed means that nothing needs to change.
	Passed Status = "Passed"
	// Failed means that something is broken or missing.
	Failed Status = "Failed"
	// Warned means that something works, but may not be as intended.
	Warned Status = "Warning"
	// Unknown means that the check could not run. It is no failure of the cluster.
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
	// Object is the checked object in kubectl's notation, such as "namespace/shop". Empty: the cluster.
	Object string `json:"object,omitempty"`
	// Message states the finding and its consequence.
	Message string `json:"message"`
	// Remedy says what to do, and Command is the command for it, if there is one.
	Remedy  string `json:"remedy,omitempty"`
	Command string `json:"command,omitempty"`
}

// Question holds the common parts of checks of one name.
type Question struct{ Section, Name string }

// Pass returns a check that passed.
func (q Question) Pass(format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Passed, Message: fmt.Sprintf(format, args...)}
}

// Fail returns a check that failed.
func (q Question) Fail(object, format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Failed, Object: object, Message: fmt.Sprintf(format,
		args...)}
}

// Warn returns a check with a warning.
func (q Question) Warn(object, format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Warned, Object: object, Message: fmt.Sprintf(format,
		args...)}
}

// NotChecked returns a check that could not run for a reason that another check reports.
func (q Question) NotChecked(format string, args ...any) Check {
	return Check{Section: q.Section, Name: q.Name, Status: Unknown,
		Message: "not checked: " + fmt.Sprintf(format, args...)}
}

// Unread returns a check of something that could not be read. It could not run if the caller lacks a permission. Any
// other error is a failure.
func (q Question) Unread(what string, err error) Check {
	if isDenied(err) {
		return q.NotChecked("%s could not be read: %v", what, err).
			fix("repeat the check as a user with permission to read it", "")
	}
	return q.Fail("", "%s could not be read: %v", what, err).
		fix("repeat the check. If it fails again, see the state of the API server:",
			"kubectl get --raw '/readyz?verbose'")
}

// LackedError is about a caller who lacks a permission.
type LackedError struct{ Permission Permission }

func (l LackedError) Error() string {
	return fmt.Sprintf("you lack the permission %q", l.Permission.String())
}

// isDenied reports whether an error means that the caller lacks a permission.
func isDenied(err error) bool {
	return errors.As(err, new(LackedError)) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
}

// fix adds the remedy and its command, which may be empty.
func (c Check) fix(remedy, command string) Check {
	c.Remedy, c.Command = remedy, command
	return c
}

// Counts are the numbers of checks by their result.
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

// maxNamed limits how many names a message lists.
const maxNamed = 5

// list joins the names, and replaces those over the limit by their number.
func list(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}

// counted returns a number with the words for it.
func counted(number int, one, many string) string {
	if number == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", number, many)
}

// shellQuote quotes a word for a POSIX shell if necessary.
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
