package cluster

import (
	"os"
	"strings"
	"testing"
)

func TestLogTailIsTheEnd(t *testing.T) {
	path := t.TempDir() + "/log"
	lines := strings.Repeat("a line\n", 10_000) + "the last but one\nthe last\n"
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	tail := logTail(path)
	if got := strings.Count(tail, "\n") + 1; got != tailLines {
		t.Errorf("the tail has %d lines, want %d", got, tailLines)
	}
	if !strings.HasSuffix(tail, "\nthe last but one\nthe last") {
		t.Errorf("the tail ends in %q", tail[len(tail)-40:])
	}
}
