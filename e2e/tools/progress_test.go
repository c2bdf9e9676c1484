package tools

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestProgressSpeaksAtItsPace(t *testing.T) {
	for _, test := range []struct {
		name     string
		terminal bool
		every    time.Duration
		want     string
	}{
		{"plain lines in a log", false, 30 * time.Second, "it: 30s elapsed, step 30\nit: 1m0s elapsed, step 60\n"},
		{"one line rewritten on a terminal", true, 30 * time.Second,
			"\r\x1b[Kit: 30s elapsed, step 30\r\x1b[Kit: 1m0s elapsed, step 60"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			began := time.Unix(0, 0)
			now := began
			p := &progress{out: &out, what: "it", terminal: test.terminal, every: test.every,
				began: began, spoken: began}
			p.now = func() time.Time { return now }
			for second := range 60 {
				now = began.Add(time.Duration(second+1) * time.Second)
				p.set("step " + now.UTC().Format("5"))
				if second == 59 {
					p.set("step 60")
				}
				p.tick()
			}
			if out.String() != test.want {
				t.Errorf("it printed %q, want %q", out.String(), test.want)
			}
		})
	}
}

func TestBuildThatFailsSaysWhy(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, "it")
	err := p.watchBuild(exec.Command("sh", "-c", "echo some/package >&2; echo 'undefined: x' >&2; exit 1"))
	if err == nil || !strings.Contains(err.Error(), "exit status 1\nsome/package\nundefined: x") {
		t.Errorf("the error is %v, want the output of the build in it", err)
	}
}
