//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// Lines of containerd's log about the kubelet's calls.
var (
	criLine    = regexp.MustCompile(`^time="([^"]+)" level=info msg="(.*)"$`)
	runSandbox = regexp.MustCompile(`^RunPodSandbox for name:"([^"]+)" +uid:"[^"]+" +namespace:"([^"]+)"( returns ` +
		`sandbox id )?`)
	create = regexp.MustCompile(`^CreateContainer within sandbox "(\w+)" for (?:container )?name:"([^"]+)"(?: ` +
		`returns container id "(\w+)")?$`)
	start = regexp.MustCompile(`^StartContainer for "(\w+)"( returns successfully)?$`)
)

// Lines of the kubelet's log.
var (
	kubeletLine = regexp.MustCompile(`^I(\d{4} \d\d:\d\d:\d\d\.\d{6}) .*\] (.*)$`)
	added       = regexp.MustCompile(`^"SyncLoop ADD" source="api" pods=\["([^"]+)"\]`)
	died        = regexp.MustCompile(`^"SyncLoop \(PLEG\): event for pod" .*"Type":"ContainerDied","Data":"(\w+)"`)
)

// taskEvent is a line of `ctr events`.
var taskEvent = regexp.MustCompile(`^(\S+ \S+ \S+ \S+) k8s\.io /tasks/(start|exit) (.*)$`)

// records are what the node's logs have, by pod and by container.
type records struct {
	seen      map[string]time.Time
	sandboxes map[string]call
	creations map[string]call
	starts    map[string]call
	started   map[string]time.Time
	exited    map[string]time.Time
	ended     map[string]time.Time
}

// readLogs completes the timelines.
func (b *bench) readLogs() error {
	r := records{
		seen: map[string]time.Time{}, sandboxes: map[string]call{}, creations: map[string]call{},
		starts:  map[string]call{},
		started: map[string]time.Time{}, exited: map[string]time.Time{}, ended: map[string]time.Time{},
	}
	containerd, err := os.ReadFile(b.cluster.LogPath("containerd"))
	if err != nil {
		return err
	}
	kubelet, err := os.ReadFile(b.cluster.LogPath("kubelet"))
	if err != nil {
		return err
	}
	if _, err := b.events.Seek(0, io.SeekStart); err != nil {
		return err
	}
	events, err := io.ReadAll(b.events)
	if err != nil {
		return err
	}
	if err := errors.Join(r.readContainerd(string(containerd)), r.readKubelet(string(kubelet)),
		r.readEvents(string(events))); err != nil {
		return err
	}
	for _, kind := range b.kinds {
		for i := range kind.timelines {
			if err := r.complete(&kind.timelines[i]); err != nil {
				return fmt.Errorf("pod %s (%s): %w", kind.timelines[i].pod, kind.name, err)
			}
		}
	}
	return nil
}

func (r records) readContainerd(log string) error {
	pending := map[string]time.Time{} // creations, by sandbox and name
	for line := range strings.Lines(log) {
		fields := criLine.FindStringSubmatch(strings.TrimSpace(line))
		if fields == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, fields[1])
		if err != nil {
			return err
		}
		message := strings.ReplaceAll(fields[2], `\"`, `"`)
		if found := runSandbox.FindStringSubmatch(message); found != nil {
			record(r.sandboxes, found[2]+"/"+found[1], at, found[3] != "")
		} else if found := create.FindStringSubmatch(message); found != nil {
			if key := found[1] + "/" + found[2]; found[3] == "" {
				pending[key] = at
			} else {
				r.creations[found[3]] = call{pending[key], at}
			}
		} else if found := start.FindStringSubmatch(message); found != nil {
			record(r.starts, found[1], at, found[2] != "")
		}
	}
	return nil
}

func record(calls map[string]call, key string, at time.Time, end bool) {
	c := calls[key]
	if end {
		c.end = at
	} else {
		c.begin = at
	}
	calls[key] = c
}

// readKubelet takes this year for that of the log, which has none.
func (r records) readKubelet(log string) error {
	year := time.Now().Format("2006")
	for line := range strings.Lines(log) {
		fields := kubeletLine.FindStringSubmatch(strings.TrimSpace(line))
		if fields == nil {
			continue
		}
		at, err := time.ParseInLocation("20060102 15:04:05.000000", year+fields[1], time.Local)
		if err != nil {
			return err
		}
		if found := added.FindStringSubmatch(fields[2]); found != nil {
			r.seen[found[1]] = at
		} else if found := died.FindStringSubmatch(fields[2]); found != nil {
			r.ended[found[1]] = at
		}
	}
	return nil
}

func (r records) readEvents(events string) error {
	for line := range strings.Lines(events) {
		fields := taskEvent.FindStringSubmatch(strings.TrimSpace(line))
		if fields == nil {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", fields[1])
		if err != nil {
			return err
		}
		var event struct {
			ContainerID string                         `json:"container_id"`
			ExitedAt    struct{ Seconds, Nanos int64 } `json:"exited_at"`
		}
		if err := json.Unmarshal([]byte(fields[3]), &event); err != nil {
			return fmt.Errorf("read containerd's event %q: %w", line, err)
		}
		if fields[2] == "start" {
			r.started[event.ContainerID] = at
		} else {
			r.exited[event.ContainerID] = time.Unix(event.ExitedAt.Seconds, event.ExitedAt.Nanos)
		}
	}
	return nil
}

// complete fills a timeline in. Each time must be there, and none may lie before the one that it follows.
func (r records) complete(t *timeline) error {
	t.seen, t.sandbox, t.ended = r.seen[t.pod], r.sandboxes[t.pod], r.ended[t.init.id]
	for _, c := range []*container{&t.init, &t.app} {
		c.creation, c.start, c.started, c.exited = r.creations[c.id], r.starts[c.id], r.started[c.id], r.exited[c.id]
	}
	// The kubelet's worker for a pod reads the runtime itself, and now and then goes on before the end is logged.
	if t.init.id != "" && t.ended.After(t.app.creation.begin) {
		t.ended = t.app.creation.begin
	}
	for _, stage := range stages {
		if stage.onlyInit && t.init.id == "" {
			continue
		}
		if took := stage.of(*t); took < 0 || took > patience {
			return fmt.Errorf("%s took %s: the node's logs do not tell all of it", stage.name, took)
		}
	}
	return nil
}
