package convert

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Kernel describes the kernel on which the pods of a template run.
type Kernel struct {
	// Guest is set if each pod has its own kernel.
	Guest bool
	// UnknownClass is the pods' RuntimeClass if it is not known whose kernel it gives them. Guest is then false.
	UnknownClass string
}

// setting is the environment in which a command runs: the pod, the container and its image.
type setting struct {
	work                          *work
	kernel                        Kernel
	hostNetwork, hostIPC, hostPID bool
	environment                   map[string]text
	openEnvironment               bool // envFrom adds variables that are not in the manifest
	mounts                        []mount
	readOnlyRoot                  bool
	image                         image
	// hasPorts is set if the pod also sets a sysctl of ports natively or by annotation: the kernel rejects values that
	// contradict each other.
	hasPorts bool
	// hostProcOnly is set if the container's own /proc/sys is read-only, so that it can only write through a mount of
	// the node's /proc.
	hostProcOnly bool
	// mayFail is set if it is not certain that the container may write /proc/sys.
	mayFail bool
}

// mount is a volume mount. host is the path on the node, or "" for a volume of another kind.
type mount struct {
	path, host string
	readOnly   bool
}

// fate is the effect of writing a name.
type fate int

const (
	fateTakes    fate = iota // it sets the pod's own value
	fateNode                 // it changes the node
	fateMissing              // it fails: a pod does not have the name
	fateReadOnly             // it fails: the name is read-only in a pod
	fateUnknown              // the name is not in the catalogue
)

func (s *setting) fateOf(name string) fate {
	entry, parameter := sysctl.Lookup(name), sysctl.FindParameter(name)
	switch {
	case parameter != nil && parameter.IsGone():
		return fateMissing
	case !sysctl.IsKnown(name) && entry.HostOnly == nil && entry.Forbidden == nil && parameter == nil:
		return fateUnknown
	case s.kernel.Guest:
		return fateTakes
	case entry.Scope == sysctl.Node, entry.Forbidden != nil,
		entry.Scope == sysctl.Network && s.hostNetwork, entry.Scope == sysctl.IPC && s.hostIPC:
		return fateNode
	case entry.HostOnly == nil:
		return fateTakes
	case entry.HostOnly.State == sysctl.Absent:
		return fateMissing
	case entry.HostOnly.State == sysctl.Shared, entry.HostOnly.State == sysctl.SharedBefore:
		return fateNode
	}
	return fateReadOnly
}

// usualInterfaces are interfaces that exist before any container starts: the loopback device, that of the CNI plugin,
// and those of Multus.
var usualInterfaces = []string{"all", "default", "lo", "eth0", "net1", "net2", "net3", "net4"}

// interfaceOf returns the interface in a name such as net.ipv4.conf.eth0.rp_filter, or "" if there is none.
func interfaceOf(name string) string {
	words := strings.Split(name, ".")
	if len(words) >= 5 && words[0] == "net" && (words[2] == "conf" || words[2] == "neigh") {
		return strings.Join(words[3:len(words)-1], ".")
	}
	return ""
}

// incomparable returns the reason why a condition on the value of a sysctl is not understood, or "" if it is.
func (s *setting) incomparable(name string) string {
	if f := s.fateOf(name); f == fateNode {
		return ""
	} else if f != fateTakes {
		return "cannot be read in a pod, or has no meaning there"
	}
	if !s.isNumber(name) {
		return "is not known to be a single number on every node, so the condition is not understood"
	}
	return ""
}

// sysctlOfPath returns the sysctl of a file below /proc/sys, or below a mount of the node's /proc.
func (s *setting) sysctlOfPath(name string) (string, bool) {
	if path.Clean(name) != name {
		return "", false
	}
	below, ok := strings.CutPrefix(name, "/proc/sys/")
	if !ok {
		for _, m := range s.mounts {
			rest, under := strings.CutPrefix(name, strings.TrimSuffix(m.path, "/")+"/")
			if under && m.host != "" && !m.readOnly {
				if below, ok = strings.CutPrefix(path.Join(m.host, rest), "/proc/sys/"); ok {
					break
				}
			}
		}
	}
	if !ok || strings.Contains(below, ".") {
		return "", false
	}
	dotted, err := sysctl.ParseName(below)
	return dotted, err == nil
}

// mountsProc reports whether the node's /proc/sys is mounted writable.
func (s *setting) mountsProc() bool {
	return slices.ContainsFunc(s.mounts, func(m mount) bool {
		parents := []string{"/", "/proc", "/proc/sys"}
		return !m.readOnly && slices.Contains(parents, m.host)
	})
}

// isMounted reports whether a file is on a volume.
func (s *setting) isMounted(name string) bool {
	return slices.ContainsFunc(s.mounts, func(m mount) bool {
		return name == m.path || strings.HasPrefix(name, strings.TrimSuffix(m.path, "/")+"/")
	})
}

// environmentOf returns the variables of a container, with $(NAME) expanded as the kubelet does.
func environmentOf(c *corev1.Container, w *work) map[string]text {
	variables := map[string]text{}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			variables[e.Name] = text{opaque: true}
			continue
		}
		variables[e.Name] = expandReferences(e.Value, variables, len(c.EnvFrom) > 0, w)
	}
	return variables
}

// expandReferences expands $(NAME) as the kubelet does: $$ becomes $, and a reference to an unknown variable stays.
// isOpen is set if there may be variables that are not in the manifest. Source: k8s.io/kubernetes
// third_party/forked/golang/expansion. Each variable can have twice the length of the one before it, so the text is
// opaque if too little work is left.
func expandReferences(s string, variables map[string]text, isOpen bool, w *work) text {
	if !w.spend(workOfText(s)) {
		return text{opaque: true}
	}
	var b strings.Builder
	opaque := false
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return text{s: b.String(), opaque: opaque}
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		value, known := variables[name]
		if !w.spend(workOfText(name) + workOfText(value.s)) {
			return text{opaque: true}
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case !strings.HasPrefix(rest, "(") || !closed:
			b.WriteByte('$')
			b.WriteString(rest[:min(1, len(rest))])
			s = rest[min(1, len(rest)):]
		case known:
			b.WriteString(value.s)
			opaque = opaque || value.opaque
			s = after
		default:
			b.WriteString("$(" + name + ")")
			opaque = opaque || isOpen && isVariableName(name)
			s = after
		}
	}
}

func isVariableName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}
