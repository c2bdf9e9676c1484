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

// speaksOfSysctls matches a text that runs the sysctl command or names a file below /proc/sys, if only by a part of
// its path.
var speaksOfSysctls = regexp.MustCompile(`(^|[^\w.-])sysctl($|[^\w.-])|proc/sys(/|\b)|` +
	`\bsys/(net/(core|ipv4|ipv6|netfilter|bridge)|kernel/(shm|msg|sem)|fs/mqueue|vm)/`)

// mentionsSysctls reports whether a container's command does so, with its variables and its folder.
func mentionsSysctls(c *corev1.Container) bool {
	if speaksOfSysctls.MatchString(strings.Join(slices.Concat(c.Command, c.Args), " ")) ||
		speaksOfSysctls.MatchString(c.WorkingDir) {
		return true
	}
	return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return strings.Contains(e.Value, "proc/sys") })
}

// inspectContainer returns nil for a container that has nothing to do with sysctls.
func inspectContainer(template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) *Finding {
	s := settingOf(template, c, kernel)
	found := &Finding{Name: c.Name}
	if c.Lifecycle != nil {
		for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if hook != nil && hook.Exec != nil && speaksOfSysctls.MatchString(strings.Join(hook.Exec.Command, " ")) {
				found.problem(0, "a lifecycle hook of it sets sysctls: %s", shorten(strings.Join(hook.Exec.Command, " ")))
			}
		}
	}
	isInit := slices.ContainsFunc(template.Spec.InitContainers,
		func(other corev1.Container) bool { return other.Name == c.Name })
	why, mayWrite := mayWriteSysctls(template, c, s)
	speaks := mentionsSysctls(c)
	if !speaks && isInit && mayWrite { // a path may be put together from parts
		trial := &Finding{}
		s.analyze(c, trial)
		speaks = len(trial.Notes)+len(trial.Assignments) > 0
	}
	switch {
	case speaks:
		s.analyze(c, found)
		if len(found.Notes) == 0 && len(found.Assignments) == 0 && len(found.Problems) == 0 {
			return nil // it only reads
		}
		if !mayWrite {
			found.problem(0, "%s", why)
		}
		if c.RestartPolicy != nil && isInit {
			found.problem(0, "it is a sidecar, which goes on running")
		}
	case isInit && mayWrite && !isTransparent(c):
		rights := "it is privileged"
		if !isPrivileged(c) {
			rights = "the node's /proc is mounted writable"
		}
		found.problem(0, "%s and it runs %s, which is not looked into", rights, whatRuns(template, c))
	case isInit && hasSysAdmin(c) && !isTransparent(c):
		found.problem(0, "it has the capability SYS_ADMIN and runs %s, which is not looked into", whatRuns(template, c))
	}
	if len(found.Problems) == 0 && len(found.Notes) == 0 {
		return nil
	}
	return found
}

func (f *Finding) problem(line int, format string, args ...any) {
	f.Problems = append(f.Problems, Problem{line, fmt.Sprintf(format, args...)})
}

// settingOf collects what a container's script finds around it.
func settingOf(template *corev1.PodTemplateSpec, c *corev1.Container, kernel Kernel) *setting {
	spec := &template.Spec
	s := &setting{
		kernel: kernel, hostNetwork: spec.HostNetwork, hostIPC: spec.HostIPC, hostPID: spec.HostPID,
		environment: environmentOf(c), openEnvironment: len(c.EnvFrom) > 0, image: imageOf(c.Image),
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
	ownUsers := spec.HostUsers != nil && !*spec.HostUsers // before Linux 6.9, root there may not write the IPC names
	s.hasPorts = setsPorts(template)
	s.hostProcOnly = !isPrivileged(c) && s.mountsProc()
	s.mayFail = !isRoot || !isPrivileged(c) || isConfined(template, c) || ownUsers
	return s
}

// setsPorts reports whether a pod sets ports natively or by annotations.
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

func demandsNonRoot(spec *corev1.PodSpec, c *corev1.Container) bool {
	if c.SecurityContext != nil && c.SecurityContext.RunAsNonRoot != nil {
		return *c.SecurityContext.RunAsNonRoot
	}
	return spec.SecurityContext != nil && spec.SecurityContext.RunAsNonRoot != nil && *spec.SecurityContext.RunAsNonRoot
}

func isPrivileged(c *corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
}

// isConfined reports whether something beside the capabilities may keep a container from writing /proc/sys.
func isConfined(template *corev1.PodTemplateSpec, c *corev1.Container) bool {
	confines := func(p *corev1.AppArmorProfile) bool {
		return p != nil && p.Type != corev1.AppArmorProfileTypeUnconfined
	}
	if sc := c.SecurityContext; sc != nil && (sc.SELinuxOptions != nil || confines(sc.AppArmorProfile)) {
		return true
	}
	own := c.SecurityContext != nil && c.SecurityContext.AppArmorProfile != nil
	if sc := template.Spec.SecurityContext; sc != nil && (sc.SELinuxOptions != nil || confines(sc.AppArmorProfile) && !own) {
		return true
	}
	annotated, ok := template.Annotations[corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name]
	return ok && annotated != corev1.DeprecatedAppArmorBetaProfileNameUnconfined
}

// mayWriteSysctls reports whether a container is able to write sysctls, or says why not.
func mayWriteSysctls(template *corev1.PodTemplateSpec, c *corev1.Container, s *setting) (why string, ok bool) {
	if template.Spec.OS != nil && template.Spec.OS.Name == corev1.Windows {
		return "the pod runs on Windows", false
	}
	user := userOf(&template.Spec, c)
	if demandsNonRoot(&template.Spec, c) && (user == nil || *user == 0) {
		return "runAsNonRoot keeps the kubelet from starting it as root, and nobody else may write sysctls", false
	}
	if user != nil && *user != 0 {
		return fmt.Sprintf("it runs as user %d, who may not write sysctls: either the pod never starts, or the commands never had an effect", *user), false
	}
	if isPrivileged(c) {
		return "", true
	}
	if s.mountsProc() {
		return "", true
	}
	if sc := c.SecurityContext; sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.UnmaskedProcMount {
		return "it is not privileged, and whether procMount: Unmasked lets it write /proc/sys depends on the node and the pod's user namespace", false
	}
	if hasSysAdmin(c) {
		return "it is not privileged: with the capability SYS_ADMIN it can remount /proc/sys, where nothing else on the node keeps it from that", false
	}
	return "it is not privileged, so /proc/sys is read-only in it: either the pod never starts, or the commands never had an effect", false
}

// hasSysAdmin reports whether a container without privileges may mount file systems.
func hasSysAdmin(c *corev1.Container) bool {
	return c.SecurityContext != nil && c.SecurityContext.Capabilities != nil &&
		slices.ContainsFunc(c.SecurityContext.Capabilities.Add, func(name corev1.Capability) bool {
			return isWord(strings.TrimPrefix(strings.ToUpper(string(name)), "CAP_"), "SYS_ADMIN ALL")
		})
}

// whatRuns names the script, and the volume that it comes from.
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

// shorten bounds what a message repeats, and keeps it on one line.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "..."
	}
	return s
}

// script is the text that a shell runs, and how.
type script struct {
	text            string
	lang            syntax.LangVariant
	options         []string // as in set
	arguments       []string // $0 and those after it
	index           int      // of the text among the container's words
	isBash, hasPath bool
}
