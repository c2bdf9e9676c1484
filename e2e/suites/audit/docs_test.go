package audit_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/picture"
)

var update = flag.Bool("update", false, "rewrite the report and the picture in docs")

const docsFile = "../../../docs/audit.md"

// compareDocs compares what docs/audit.md shows with the report on this cluster. With -update, it writes the page,
// and the picture of the report in HTML.
func compareDocs(t *testing.T, page string) {
	t.Helper()
	content, err := os.ReadFile(docsFile)
	must(t, err)
	docs, shown := string(content), false
	for _, block := range transcript.Blocks(docs) {
		for _, command := range block.Commands() {
			args, isConsole := strings.CutPrefix(strings.TrimSpace(command.Text), "sysctl-injector ")
			if block.Language != "console" || !isConsole {
				continue
			}
			shown = true
			out, problem, code, _ := run(t, program, strings.Fields(args)...)
			if code != 0 {
				t.Fatalf("%s: exit code %d, %s", args, code, problem)
			}
			docs = strings.Replace(docs, command.Text+command.Output, command.Text+out, 1)
		}
	}
	if diff := cmp.Diff(string(content), docs); diff != "" && !*update || !shown {
		t.Errorf("%s shows another report; -update writes it (-page +printed):\n%s", docsFile, diff)
	}
	if *update {
		must(t, os.WriteFile(docsFile, []byte(docs), 0o644))
		must(t, picture.Take(t.Context(), page, "../../../docs/images/audit.webp", 1280))
	}
}
