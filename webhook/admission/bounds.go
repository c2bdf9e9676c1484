package admission

import "strings"

// Everything that is said about a pod is bounded: a pod may be 3 MB of mistakes.
const (
	// maxMessage bounds the message of a rejection, and each audit annotation.
	maxMessage = 8 << 10
	// maxWarning bounds each warning, and maxWarnings their number. The API server passes on 4 KiB at most.
	maxWarning  = 1 << 10
	maxWarnings = 32
	// maxName bounds a name in the log. No name of an object is longer.
	maxName = 253
	// maxUID bounds the UID of a review, which is returned as it is. The API server's have 36 characters.
	maxUID = 128
)

// truncate shortens a text to at most max bytes, by whole characters. A text that is shortened is copied, so that the
// whole can be freed.
func truncate(text string, max int) string {
	if len(text) <= max {
		return text
	}
	const more = "…"
	return strings.ToValidUTF8(text[:max-len(more)], "") + more
}

func truncateWarnings(warnings []string) []string {
	if len(warnings) > maxWarnings {
		warnings = warnings[:maxWarnings]
	}
	bounded := make([]string, len(warnings))
	for n, warning := range warnings {
		bounded[n] = truncate(warning, maxWarning)
	}
	return bounded
}
