//go:build linux

package main

import "time"

// timeline holds the times of the events of a pod. All clocks are this machine's.
type timeline struct {
	pod             string    // namespace/name
	create, created time.Time // the client's call
	seen            time.Time // the kubelet's log: it has heard of the pod
	sandbox         call
	init, app       container
	ended           time.Time // the kubelet's log: it has found that the init container has ended
	known           time.Time // the client's watch: the app runs
}

// call is one of the kubelet to containerd, by the latter's log.
type call struct{ begin, end time.Time }

type container struct {
	id       string
	creation call
	start    call
	started  time.Time // containerd's event: runc has started it
	exited   time.Time // by the time in the event
}

// stage is a part of a pod's start.
type stage struct {
	name string
	of   func(timeline) time.Duration
	// onlyInit stages are those of an init container alone.
	onlyInit bool
}

// stages follow one another without a gap, from the creation to the app's start.
var stages = []stage{
	{name: "API server, scheduler: until the kubelet learns of it",
		of: func(t timeline) time.Duration { return t.seen.Sub(t.create) }},
	{name: "kubelet: cgroups, volumes", of: func(t timeline) time.Duration { return t.sandbox.begin.Sub(t.seen) }},
	{name: "sandbox, its network", of: func(t timeline) time.Duration { return t.sandbox.end.Sub(t.sandbox.begin) }},
	{name: "kubelet: image check, settings",
		of: func(t timeline) time.Duration { return t.first().creation.begin.Sub(t.sandbox.end) }},
	{name: "init: create", onlyInit: true,
		of: func(t timeline) time.Duration { return t.init.creation.end.Sub(t.init.creation.begin) }},
	{name: "init: kubelet, between", onlyInit: true,
		of: func(t timeline) time.Duration { return t.init.start.begin.Sub(t.init.creation.end) }},
	{name: "init: start, and run to its end", onlyInit: true,
		of: func(t timeline) time.Duration { return t.init.exited.Sub(t.init.start.begin) }},
	{name: "init: until the kubelet finds it ended", onlyInit: true,
		of: func(t timeline) time.Duration { return t.ended.Sub(t.init.exited) }},
	{name: "kubelet: image check, settings, for the app", onlyInit: true,
		of: func(t timeline) time.Duration { return t.app.creation.begin.Sub(t.ended) }},
	{name: "app: create", of: func(t timeline) time.Duration { return t.app.creation.end.Sub(t.app.creation.begin) }},
	{name: "app: start", of: func(t timeline) time.Duration { return t.app.started.Sub(t.app.creation.end) }},
}

// beside are times that the stages contain, or that follow them.
var beside = []stage{
	{name: "(the client's call, with admission)",
		of: func(t timeline) time.Duration { return t.created.Sub(t.create) }},
	{name: "(from the app's start until the API server tells it)",
		of: func(t timeline) time.Duration { return t.known.Sub(t.app.started) }},
}

// first is the container that is created first.
func (t timeline) first() container {
	if t.init.id != "" {
		return t.init
	}
	return t.app
}

// total is the time from the creation to the app's start.
func (t timeline) total() time.Duration { return t.app.started.Sub(t.create) }

// share is the part of it that an init container takes: from its creation to the app's.
func (t timeline) share() time.Duration { return t.app.creation.begin.Sub(t.init.creation.begin) }

// work is what containerd and runc do for an init container, and what runs in it.
func (t timeline) work() time.Duration { return t.init.exited.Sub(t.init.creation.begin) }

// wait is the time until the kubelet finds that an init container has ended.
func (t timeline) wait() time.Duration { return t.ended.Sub(t.init.exited) }
