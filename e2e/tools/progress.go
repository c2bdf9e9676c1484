package tools

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows what a long step is doing: one line that is rewritten on a terminal, and an ordinary line every few
// seconds in a log.
type progress struct {
	out      io.Writer
	what     string
	terminal bool
	every    time.Duration
	now      func() time.Time
	began    time.Time

	mu     sync.Mutex
	doing  string
	spoken time.Time
}

const (
	terminalPace = 2 * time.Second
	logPace      = 30 * time.Second
)

func newProgress(out io.Writer, what string) *progress {
	p := &progress{out: out, what: what, every: logPace, now: time.Now}
	p.began = p.now()
	p.spoken = p.began
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.terminal, p.every = true, terminalPace
	}
	return p
}

func (p *progress) set(doing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = doing
}

// tick prints the line when it is due.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Sub(p.spoken) < p.every {
		return
	}
	p.spoken = p.now()
	line := fmt.Sprintf("%s: %s elapsed, %s", p.what, p.elapsed(), p.doing)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) elapsed() time.Duration { return p.now().Sub(p.began).Round(time.Second) }

// say prints a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := ""
	if p.terminal {
		start = "\r\x1b[K"
	}
	fmt.Fprintf(p.out, start+p.what+": "+format+"\n", args...)
}

// watchBuild runs `go build -v` and reports the packages it names. A failed build's error holds the end of its
// output.
func (p *progress) watchBuild(cmd *exec.Cmd) error {
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	p.say("building once, which takes minutes; the result is kept for every later run")
	p.set("nothing compiled yet")
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		timer := time.NewTicker(time.Second)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
				p.tick()
			case <-stop:
				return
			}
		}
	})
	compiled := 0
	var tail lastLines
	for lines := bufio.NewScanner(output); lines.Scan(); {
		line := lines.Text()
		tail.add(line)
		if strings.HasPrefix(line, "go: ") {
			p.set(strings.TrimPrefix(line, "go: "))
			continue
		}
		compiled++
		p.set(fmt.Sprintf("%d packages compiled, now %s", compiled, line))
	}
	err = cmd.Wait()
	close(stop)
	ticking.Wait()
	if err != nil {
		p.say("the build stopped after %s", p.elapsed())
		return fmt.Errorf("go build: %w\n%s", err, tail.String())
	}
	p.say("built in %s", p.elapsed())
	return nil
}

// lastLines keeps the end of an output.
type lastLines struct{ lines []string }

const tailLines = 20

func (l *lastLines) add(line string) {
	l.lines = append(l.lines, line)
	if len(l.lines) > tailLines {
		l.lines = l.lines[1:]
	}
}

func (l *lastLines) String() string { return strings.Join(l.lines, "\n") }
