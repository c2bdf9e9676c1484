package mutating

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// known are the names that pods can set at all, and what the kernel takes for each: see takes. "*" stands for an
// interface.
type known struct {
	shared, sharedOnDevices map[string]string // on a shared kernel
	guest, guestOnDevices   map[string]string // in a guest's only
	// anyDevice are parameters that a policy names for any interface, and except those that pods cannot set for some
	// interfaces.
	anyDevice, except map[string]string
	// absent are names that a pod with hostUsers: false does not have.
	absent map[string]string
}

// knownNames asks the rules of the webhook about each name of the catalogue, and of the policies.
func knownNames(policies []*v1alpha1.SysctlPolicy) map[string]any {
	k := known{
		map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{},
		map[string]string{}, map[string]string{}, map[string]string{},
	}
	for _, name := range sysctl.KnownNames() {
		k.add(name)
	}
	for _, pattern := range patterns(policies) {
		switch {
		case pattern.IsExact():
			k.addExact(pattern.String())
		case pattern.IsForAnyInterface():
			k.addAnyInterface(pattern)
		}
	}
	return map[string]any{
		"shared": k.shared, "sharedOnDevices": k.sharedOnDevices, "guest": k.guest, "guestOnDevices": k.guestOnDevices,
		"anyDevice": k.anyDevice, "except": k.except, "absent": k.absent,
	}
}

// add adds a name of the catalogue. The interfaces that it spells names out for are alike, but for "all" and
// "default".
func (k *known) add(name string) {
	before, device, after := sysctl.CutInterface(name)
	switch device {
	case "all", "default":
		if !isSettable(name) {
			k.except[name] = ""
		}
		k.addExact(name)
	case "":
		k.addExact(name)
	case "eth0":
		wild := before + "*" + after
		if isSettable(name) {
			k.sharedOnDevices[wild] = takes(name)
			if isAbsentInUserNamespace(name) {
				k.absent[wild] = ""
			}
		} else {
			k.guestOnDevices[wild] = ""
		}
	}
}

func (k *known) addExact(name string) {
	if !isSettable(name) {
		k.guest[name] = ""
		return
	}
	k.shared[name] = takes(name)
	if isAbsentInUserNamespace(name) {
		k.absent[name] = ""
	}
}

// addAnyInterface adds a pattern of a policy for the parameters of any interface. One with "*" at its end is for
// known parameters.
func (k *known) addAnyInterface(pattern sysctl.Pattern) {
	if _, isPrefix := pattern.Prefix(); !isPrefix {
		for _, family := range []string{"ipv4", "ipv6"} {
			wild := strings.Replace(pattern.String(), "net.*.", "net."+family+".", 1)
			if isSettable(strings.Replace(wild, "*", "eth0", 1)) {
				k.anyDevice[wild] = takes(strings.Replace(wild, "*", "eth0", 1))
			}
		}
		return
	}
	for wild, takes := range k.sharedOnDevices {
		if pattern.Matches(strings.Replace(wild, "*", "eth0", 1)) {
			k.anyDevice[wild] = takes
		}
	}
}

// isSettable asks the rules that hold whatever a policy says.
func isSettable(name string) bool {
	reason, _ := policy.Check(policy.Facts{Kernel: v1alpha1.SharedKernel}, sysctl.Lookup(name))
	return reason == ""
}

// isAbsentInUserNamespace asks the rules of the form for pods with hostUsers: false.
func isAbsentInUserNamespace(name string) bool {
	facts := policy.Facts{Kernel: v1alpha1.SharedKernel, UserNamespace: true}
	f := form.For(form.Pod{Facts: facts, Kubernetes: form.NewestKubernetes}, sysctl.Assignment{Name: name})
	for _, rule := range f.Rules {
		if rule.Applies(facts, sysctl.Lookup(name)) {
			return true
		}
	}
	return false
}

// takes says what every kernel takes for a name, in words that the policies split: "numbers MIN MAX COUNT", "ports 0
// MAX 0", "text 0 0 0", or "" if all values are taken.
func takes(name string) string {
	switch reads := sysctl.Reads(name); reads.Kind {
	case sysctl.Numbers:
		return fmt.Sprintf("numbers %d %d %d", reads.Min, reads.Max, reads.Count)
	case sysctl.PortList:
		return fmt.Sprintf("ports 0 %d 0", reads.Max)
	case sysctl.Formatted:
		return "text 0 0 0"
	}
	return ""
}

// nameProblems lists the names that a pod cannot set, whatever a policy says.
const nameProblems = `variables.judged.filter(s, !(s.name in variables.known.shared
|| s.wild in variables.known.sharedOnDevices && s.device.matches(variables.grammar.devices)
|| s.wild in variables.known.anyDevice && !(s.name in variables.known.except)
|| variables.kernel == 'Guest' && (s.name in variables.known.guest
|| s.wild in variables.known.guestOnDevices && s.device.matches(variables.grammar.devices))))
.map(s, s.where + ': ' + s.name + (variables.kernel == 'Guest'
? ' is not a sysctl that sysctl-injector knows; check the spelling'
: ' is not a sysctl that a pod can set on a kernel that other pods share; "sysctl-injector explain '
+ s.name + '" says why'))`

// namespaceProblems lists the names that the pod's namespaces do not isolate.
func namespaceProblems() string {
	return `(variables.kernel == 'Guest' ? [] :
variables.judged.filter(s, object.spec.?hostNetwork.orValue(false) && ` + ofScope(sysctl.Network) + `)
.map(s, s.where + ': ' + s.name
+ ' would change the node: the pod shares the node\'s network namespace (hostNetwork: true); ` +
		`remove hostNetwork, or the sysctl')
+ variables.judged.filter(s, object.spec.?hostIPC.orValue(false) && ` + ofScope(sysctl.IPC) + `)
.map(s, s.where + ': ' + s.name
+ ' would change the node: the pod shares the node\'s IPC namespace (hostIPC: true); remove hostIPC, or the sysctl')
+ variables.judged.filter(s, variables.userNamespace
&& (s.name in variables.known.absent || s.wild in variables.known.absent))
.map(s, s.where + ': ' + s.name + ' does not exist in the network namespace of a pod with hostUsers: false; '
+ 'remove hostUsers: false, or the sysctl'))
+ variables.judged.filter(s, variables.userNamespace
&& !` + ofScope(sysctl.Network) + ` && !` + ofScope(sysctl.IPC) + `)
.map(s, s.where + ': ' + s.name
+ ' is node-level, and the pod runs in a user namespace (hostUsers: false), ` +
		`whose root may not write it; remove hostUsers: false, or the sysctl')`
}

// ofScope returns the expression for whether the name of the sysctl s has a scope.
func ofScope(scope sysctl.Scope) string {
	var terms []string
	for _, pattern := range sysctl.Namespaced() {
		if sysctl.ScopeOf(strings.TrimSuffix(pattern.String(), "*")) == scope {
			terms = append(terms, matches("s.name", pattern))
		}
	}
	return "(" + strings.Join(terms, " || ") + ")"
}

// matches returns the expression for whether a pattern matches a name.
func matches(name string, pattern sysctl.Pattern) string {
	text, isPrefix := pattern.Prefix()
	switch {
	case pattern.IsForAnyInterface():
		quoted := regexp.QuoteMeta(strings.TrimSuffix(pattern.String(), "*"))
		expression := "^" + strings.ReplaceAll(quoted, `\*`, `[^.]+`)
		if !isPrefix {
			expression += "$"
		}
		return name + ".matches(r'" + expression + "')"
	case isPrefix && text == "":
		return "true"
	case isPrefix:
		return name + ".startsWith('" + text + "')"
	}
	return name + " == '" + pattern.String() + "'"
}
