package convert

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"mvdan.cc/sh/v3/syntax"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// sysctlMention matches a text that runs the sysctl command, or names a file below /proc/sys by its path or a part of
// it.
var sysctlMention = regexp.MustCompile(`(^|[^\w.-])sysctl($|[^\w.-])|proc/sys(/|\b)|` +
	`\bsys/(net/(core|ipv4|ipv6|netfilter|bridge)|kernel/(shm|msg|sem)|fs/mqueue|vm)/`)

// mentionsSysctls reports whether the command, the variables or the working directory of a container mention sysctls.
func mentionsSysctls(c *corev1.Container) bool {
	if sysctlMention.MatchString(strings.Join(slices.Concat(c.Command, c.Args), " ")) ||
		sysctlMention.MatchString(c.WorkingDir) {
		return true
	}
	return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return strings.Contains(e.Value, "proc/sys") })
}

// inspectContainer returns the finding for a container, or nil if the container does not set sysctls.
func inspectContainer(template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) *Finding {
	s := settingOf(template, c, kernel)
	found := &Finding{Name: c.Name}
	if c.Lifecycle != nil {
		for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if hook != nil && hook.Exec != nil && sysctlMention.MatchString(strings.Join(hook.Exec.Command, " ")) {
				found.problem("one of its lifecycle hooks sets sysctls: %s",
					shorten(strings.Join(hook.Exec.Command, " ")))
			}
		}
	}
	isInit := slices.ContainsFunc(template.Spec.InitContainers,
		func(other corev1.Container) bool { return other.Name == c.Name })
	why, mayWrite := mayWriteSysctls(template, c, s)
	mentions := mentionsSysctls(c)
	if !mentions && isInit && mayWrite { // a script may build a path from parts
		trial := &Finding{}
		s.analyze(c, trial)
		mentions = len(trial.Notes)+len(trial.Assignments) > 0
	}
	switch {
	case mentions:
		s.analyze(c, found)
		if len(found.Notes) == 0 && len(found.Assignments) == 0 && len(found.Problems) == 0 {
			return nil // it only reads
		}
		if !mayWrite {
			found.problem("%s", why)
		}
		if c.RestartPolicy != nil && isInit {
			found.problem("it is a sidecar, which keeps running")
		}
	case isInit && mayWrite && !isTransparent(c):
		rights := "it is privileged"
		if !isPrivileged(c) {
			rights = "the node's /proc is mounted writable"
		}
		found.problem("%s and it runs %s, which is not analyzed", rights, whatRuns(template, c))
	case isInit && hasSysAdmin(c) && !isTransparent(c):
		found.problem("it has the capability SYS_ADMIN and runs %s, which is not analyzed", whatRuns(template, c))
	}
	if len(found.Problems) == 0 && len(found.Notes) == 0 {
		return nil
	}
	return found
}

// problem adds a problem that no line of the script causes.
func (f *Finding) problem(format string, args ...any) {
	f.Problems = append(f.Problems, Problem{Reason: fmt.Sprintf(format, args...)})
}

// settingOf returns the environment in which a container's command runs.
func settingOf(template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) *setting {
	return settingWithin(&work{maxWork}, template, c, kernel)
}

// settingWithin is settingOf with a given amount of work.
func settingWithin(w *work, template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) *setting {
	spec := &template.Spec
	s := &setting{
		work: w, kernel: kernel, hostNetwork: spec.HostNetwork, hostIPC: spec.HostIPC, hostPID: spec.HostPID,
		environment: environmentOf(c, w), openEnvironment: len(c.EnvFrom) > 0, image: imageOf(c.Image),
	}
	for _, m := range c.VolumeMounts {
		one := mount{path: path.Clean(m.MountPath), readOnly: m.ReadOnly || m.RecursiveReadOnly != nil}
		for _, v := range spec.Volumes {
			if v.Name == m.Name && v.HostPath != nil && m.SubPathExpr == "" {
				one.host = path.Join(v.HostPath.Path, m.SubPath)
			}
		}
		s.mounts = append(s.mounts, one)
	}
	if sc := c.SecurityContext; sc != nil {
		s.readOnlyRoot = sc.ReadOnlyRootFilesystem != nil && *sc.ReadOnlyRootFilesystem
	}
	user := userOf(spec, c)
	isRoot := user != nil && *user == 0 || user == nil && s.image.official
	ownUsers := spec.HostUsers != nil && !*spec.HostUsers // before Linux 6.9, its root may not write the IPC names
	s.hasPorts = setsPorts(template)
	s.hostProcOnly = !isPrivileged(c) && s.mountsProc()
	s.mayFail = !isRoot || !isPrivileged(c) || isConfined(template, c) || ownUsers
	return s
}

// setsPorts reports whether a pod sets a sysctl of ports natively or by annotation.
func setsPorts(template *corev1.PodTemplateSpec) bool {
	if sc := template.Spec.SecurityContext; sc != nil {
		for _, one := range sc.Sysctls {
			if isOfPorts(sysctl.Dotted(one.Name)) {
				return true
			}
		}
	}
	return template.Annotations[v1alpha1.ProfilesAnnotation] != "" ||
		slices.ContainsFunc(newMerge(template).existing, func(a Assignment) bool { return isOfPorts(a.Name) })
}

func userOf(spec *corev1.PodSpec, c *corev1.Container) *int64 {
	if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
		return c.SecurityContext.RunAsUser
	}
	if spec.SecurityContext != nil {
		return spec.SecurityContext.RunAsUser
	}
	return nil
}

func requiresNonRoot(spec *corev1.PodSpec, c *corev1.Container) bool {
	if c.SecurityContext != nil && c.SecurityContext.RunAsNonRoot != nil {
		return *c.SecurityContext.RunAsNonRoot
	}
	sc := spec.SecurityContext
	return sc != nil && sc.RunAsNonRoot != nil && *sc.RunAsNonRoot
}

func isPrivileged(c *corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}

// isConfined reports whether SELinux or AppArmor may prevent a container from writing /proc/sys.
func isConfined(template *corev1.PodTemplateSpec, c *corev1.Container) bool {
	confines := func(p *corev1.AppArmorProfile) bool {
		return p != nil && p.Type != corev1.AppArmorProfileTypeUnconfined
	}
	if sc := c.SecurityContext; sc != nil && (sc.SELinuxOptions != nil || confines(sc.AppArmorProfile)) {
		return true
	}
	own := c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil
	sc := template.Spec.SecurityContext
	if sc != nil && (sc.SELinuxOptions != nil || confines(sc.AppArmorProfile) && !own) {
		return true
	}
	annotated, ok := template.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]
	return ok && annotated != corev1.DeprecatedAppArmorBetaProfileNameUnconfined
}

// mayWriteSysctls reports whether a container may write sysctls. If not, why is the reason.
func mayWriteSysctls(template *corev1.PodTemplateSpec, c *corev1.Container, s *setting) (why string, ok bool) {
	if template.Spec.OS != nil && template.Spec.OS.Name == corev1.Windows {
		return "the pod runs on Windows", false
	}
	user := userOf(&template.Spec, c)
	if requiresNonRoot(&template.Spec, c) && (user == nil || *user == 0) {
		return "runAsNonRoot prevents the kubelet from starting it as root, and only root may write sysctls", false
	}
	const neverWorked = ": either the pod never starts, or the commands never had an effect"
	if user != nil && *user != 0 {
		return fmt.Sprintf("it runs as user %d, which may not write sysctls%s", *user, neverWorked), false
	}
	if isPrivileged(c) {
		return "", true
	}
	if s.mountsProc() {
		return "", true
	}
	if sc := c.SecurityContext; sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.UnmaskedProcMount {
		return "it is not privileged, and whether procMount: Unmasked lets it write /proc/sys depends on the node " +
			"and the pod's user namespace", false
	}
	if hasSysAdmin(c) {
		return "it is not privileged, but with the capability SYS_ADMIN it can remount /proc/sys, unless something " +
			"else on the node prevents that", false
	}
	return "it is not privileged, so /proc/sys is read-only in it" + neverWorked, false
}

// hasSysAdmin reports whether a container has the capability SYS_ADMIN, so that it may mount file systems.
func hasSysAdmin(c *corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Capabilities != nil &&
		slices.ContainsFunc(c.SecurityContext.Capabilities.Add, func(name corev1.Capability) bool {
			return isWord(strings.TrimPrefix(strings.ToUpper(string(name)), "CAP_"), "SYS_ADMIN ALL")
		})
}

// whatRuns describes the command of a container, and the volume that it comes from.
func whatRuns(template *corev1.PodTemplateSpec, c *corev1.Container) string {
	words := slices.Concat(c.Command, c.Args)
	if len(c.Command) == 0 {
		return "the entrypoint of its image " + c.Image
	}
	shown := shorten(strings.Join(words, " "))
	for _, m := range c.VolumeMounts {
		if !strings.Contains(shown, strings.TrimSuffix(m.MountPath, "/")+"/") {
			continue
		}
		for _, v := range template.Spec.Volumes {
			if v.Name == m.Name && v.ConfigMap != nil {
				return fmt.Sprintf("%q, from ConfigMap %s", shown, v.ConfigMap.Name)
			}
		}
		return fmt.Sprintf("%q, from volume %s", shown, m.Name)
	}
	return fmt.Sprintf("%q", shown)
}

// shorten shortens a text to one line of at most 80 characters, for a message.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "..."
	}
	return s
}

// script is the script of a shell's command line.
type script struct {
	text            string
	lang            syntax.LangVariant
	options         []string // arguments of the set builtin
	arguments       []string // $0, $1, ...
	index           int      // of the text among the container's words
	isBash, hasPath bool
}
