package injection

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// recentLinux is the Linux release from which on a sysctl that became per-namespace is worth a warning: nodes with an
// older kernel are still in use.
var recentLinux = version.MustParseGeneric("5.0")

// warnings are what a person at the terminal should know of a pod that is injected. An API server cuts what is long,
// so each is short.
func warnings(p *pod.Pod, plan form.Plan, facts policy.Facts, settings []policy.Setting) []string {
	if plan.Form.OnlyReads {
		return nil
	}
	var warnings []string
	var safe []string // from which releases
	for _, setting := range settings {
		entry := sysctl.Lookup(setting.Name)
		if w := namespacedSince(facts, entry); w != "" {
			warnings = append(warnings, w)
		}
		if facts.Kernel != v1alpha1.GuestKernel {
			for _, text := range sysctl.OnNodes(setting.Assignment) {
				warnings = append(warnings, setting.Name+": "+text)
			}
		}
		if plan.Container != nil && plan.Form.Warn != nil {
			if w := plan.Form.Warn(entry); w != "" {
				warnings = append(warnings, setting.Name+": "+w)
			}
		}
		if w := lowers(setting); w != "" {
			warnings = append(warnings, w)
		}
		if entry.SafeSince != "" {
			safe = append(safe, entry.SafeSince)
		}
	}
	if len(safe) == len(settings) && plan.Container != nil && plan.Form.Privileged &&
		len(plan.CouldBeNative()) == len(settings) {
		warnings = append(warnings, fmt.Sprintf("%s: safe since Kubernetes %s, so spec.securityContext.sysctls can "+
			"set it without a privileged init container", strings.Join(namesOf(settings), ", "), latest(safe)))
	}
	return append(warnings, setAgain(p, settings)...)
}

// setAgain warns of other privileged containers that set a sysctl of the annotation: they run later, so the value
// that such a container sets is the one that holds. Their commands are read as `convert` reads them. Of a command
// that is not understood, the names count.
func setAgain(p *pod.Pod, settings []policy.Setting) []string {
	var inForce []convert.Assignment
	var warnings []string
	budget := convert.NewBudget()
	for _, list := range []struct {
		kind       string
		containers []pod.Container
	}{{"init container", p.InitContainers}, {"container", p.Containers}} {
		for _, c := range list.containers {
			if c.SysctlJSON == "" || len(warnings) >= maxViolations {
				continue
			}
			if inForce == nil {
				inForce = assignments(settings)
			}
			sets, names := laterWrites(convert.LaterWrites([]byte(c.SysctlJSON), budget, p.HostNetwork, p.HostIPC,
				inForce))
			switch {
			case sets != "":
				warnings = append(warnings, fmt.Sprintf("%s %q runs later and sets %s, in the place of the "+
					"annotation's value; remove one of the two",
					list.kind, c.Name, sets))
			case names != "":
				warnings = append(warnings, fmt.Sprintf("%s %q is privileged, runs later, and names %s in a command "+
					"that is not understood: a value "+
					"that it sets takes the place of the annotation's; remove one of the two", list.kind,
					c.Name, names))
			}
		}
	}
	return warnings
}

func assignments(settings []policy.Setting) []convert.Assignment {
	all := make([]convert.Assignment, len(settings))
	for n, s := range settings {
		all[n] = convert.Assignment{Name: s.Name, Value: s.Value, AtLeast: s.Operator == sysctl.AtLeast}
	}
	return all
}

// laterWrites lists what is set, and what is only named.
func laterWrites(all []convert.Later) (sets, names string) {
	var withValue, without []string
	for _, l := range all {
		if l.Value == "" {
			without = append(without, l.Name)
			continue
		}
		withValue = append(withValue, l.Name+" = "+l.Value)
	}
	return strings.Join(withValue, ", "), strings.Join(without, ", ")
}

func latest(versions []string) *version.Version {
	var latest *version.Version
	for _, text := range versions {
		if v := version.MustParseGeneric(text); latest == nil || latest.LessThan(v) {
			latest = v
		}
	}
	return latest
}

func namespacedSince(facts policy.Facts, entry sysctl.Entry) string {
	if entry.NamespacedSince == "" || facts.Kernel == v1alpha1.GuestKernel ||
		version.MustParseGeneric(entry.NamespacedSince).LessThan(recentLinux) {
		return ""
	}
	return fmt.Sprintf("%s: can be set in a pod from Linux %s on; on a node with an older kernel the pod will not "+
		"start", entry.Name, entry.NamespacedSince)
}

// lowers warns of a limit that would be higher without the annotation.
func lowers(setting policy.Setting) string {
	start, since := setting.Lowers()
	if start == "" {
		return ""
	}
	if since != "" {
		since = " since Linux " + since
	}
	return fmt.Sprintf("%s: %s is below %s, with which a pod starts%s; write \"%[1]s >= %[2]s\" to raise the value "+
		"only", setting.Name, setting.Value, start, since)
}

func namesOf(settings []policy.Setting) []string {
	var names []string
	for _, setting := range settings {
		names = append(names, setting.Name)
	}
	return names
}

// trialWarning says that policies on trial would reject the pod, and why: the first reason, since a warning is short.
func trialWarning(trial *policy.Trial) string {
	more := ""
	if n := len(trial.Violations) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	first := trial.Violations[0]
	return fmt.Sprintf("SysctlPolicy %s, on trial, would reject this pod%s: %s: %s", strings.Join(trial.Policies, ", "),
		more, first.Reason, first.Err.Detail)
}
