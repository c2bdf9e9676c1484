package transcript

import (
	"regexp"
	"strings"
)

// Parts of what is printed that differ from one run to the next.
var (
	counted = regexp.MustCompile(` \(x\d+ over [^)]*\)`)
	age     = regexp.MustCompile(`\b(?:\d+[ydhms])+\b`)
	word    = regexp.MustCompile(`-[0-9a-z]+`)
	random  = regexp.MustCompile(`^-[bcdfghjklmnpqrstvwxz2456789]{5,10}$`)
	dashes  = regexp.MustCompile(`-{3,}`)
	blanks  = regexp.MustCompile(`[ \t]+`)
	version = regexp.MustCompile(`"version":"[^"]*"`)
)

// Matches reports whether a command printed what a page shows. Ages, names that Kubernetes makes up, the program's
// version and the width of columns do not count. "…" on the page stands for any text.
func Matches(shown, printed string) bool {
	if shown == printed {
		return true
	}
	parts := strings.Split(regexp.QuoteMeta(normalize(shown)), "…")
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, `.*`) + `$`).MatchString(normalize(printed))
}

func normalize(text string) string {
	text = counted.ReplaceAllString(text, "")
	text = age.ReplaceAllString(text, "AGE")
	text = word.ReplaceAllStringFunc(text, func(part string) string {
		if random.MatchString(part) {
			return "-RANDOM"
		}
		return part
	})
	text = version.ReplaceAllString(text, `"version":"VERSION"`)
	text = blanks.ReplaceAllString(dashes.ReplaceAllString(text, "---"), " ")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
