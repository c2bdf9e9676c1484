package guard

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// The Kubernetes versions that the guard is for: 1.31 to 1.37. A newer cluster gets the standards of the newest.
const (
	oldest minor = 31
	newest       = minor(form.NewestKubernetes)
)

// minor is a minor version of Kubernetes 1.
type minor uint

func (m minor) String() string { return fmt.Sprint("1.", uint(m)) }

// Pod Security's "latest" is the API server's own version. All that differs between the versions is in this file: the
// list of safe sysctls, which package sysctl has, and the rows below with a "since" or "until". Their source is
// k8s.io/pod-security-admission/policy at each version; tests compare them with it.
//
//	1.32  the sysctls net.ipv4.tcp_rmem and net.ipv4.tcp_wmem are safe
//	1.33  image volumes are allowed at restricted
//	1.34  probes and lifecycle handlers must not name a host
//	1.35  a user namespace may have root, and at baseline an unmasked /proc
//	1.37  the sysctls net.ipv4.tcp_notsent_lowat and net.ipv4.tcp_slow_start_after_idle are safe

// userNamespacesTrusted is the version since which Pod Security asks less of a pod with hostUsers: false.
const userNamespacesTrusted minor = 35

// row is a line of a table: it is for the versions from since on, and before until. Zero means no limit.
type row struct {
	name         string
	since, until minor
}

// restrictedVolumes are the kinds of volumes that restricted allows.
var restrictedVolumes = []row{
	{name: "configMap"},
	{name: "csi"},
	{name: "downwardAPI"},
	{name: "emptyDir"},
	{name: "ephemeral"},
	{name: "image", since: 33},
	{name: "persistentVolumeClaim"},
	{name: "projected"},
	{name: "secret"},
}

// Every check is a file of templates/guard/checks. Its last variable has the file's name and lists the violations.
var (
	// ours are the checks that Pod Security does not need. They come first: they explain why a container that
	// looks like the injected one is not accepted as it.
	ours = []row{{name: "reserved_name"}, {name: "node_level"}}

	// baseline and restricted are the checks of Pod Security, in its order, which is that of its messages.
	baseline = []row{
		{name: "appArmorProfile"},
		{name: "capabilities_baseline"},
		{name: "hostNamespaces"},
		{name: "hostPathVolumes"},
		{name: "hostPorts"},
		{name: "hostProbesAndHostLifecycle", since: 34},
		{name: "privileged"},
		{name: "procMount"},
		{name: "seLinuxOptions"},
		{name: "seccompProfile_baseline"},
		{name: "sysctls"},
		{name: "windowsHostProcess"},
	}
	// Restricted has stricter checks in place of four of baseline's: capabilities, volumes, procMount and seccomp.
	restricted = []row{
		{name: "appArmorProfile"},
		{name: "hostNamespaces"},
		{name: "hostPorts"},
		{name: "hostProbesAndHostLifecycle", since: 34},
		{name: "privileged"},
		// Before 1.35 the check of baseline is as strict, and stands here.
		{name: "procMount_restricted", until: 35},
		{name: "seLinuxOptions"},
		{name: "sysctls"},
		{name: "windowsHostProcess"},
		{name: "allowPrivilegeEscalation"},
		{name: "capabilities_restricted"},
		{name: "procMount_restricted", since: 35},
		{name: "restrictedVolumes"},
		{name: "runAsNonRoot"},
		{name: "runAsUser"},
		{name: "seccompProfile_restricted"},
	}
)

// at returns the names of the rows that are for a version.
func at(m minor, rows []row) []string {
	names := []string{}
	for _, r := range rows {
		if r.since <= m && (r.until == 0 || m < r.until) {
			names = append(names, r.name)
		}
	}
	return names
}

// safeSysctls returns the sysctls that are safe in a version.
func safeSysctls(m minor) []string {
	names := []string{}
	kubernetes := version.MajorMinor(1, uint(m))
	for entry := range sysctl.Known() {
		if entry.SafeSince != "" && kubernetes.AtLeast(version.MustParseGeneric(entry.SafeSince)) {
			names = append(names, entry.Name)
		}
	}
	return names
}

// parseMinor reads a version of Kubernetes: "1.35", or as an API server reports it, "v1.35.4-eks-1a2b3c". Empty means
// the newest.
func parseMinor(text string) (minor, error) {
	parsed, err := form.ParseKubernetes(text)
	if err != nil {
		return 0, err
	}
	if m := minor(parsed); m >= oldest {
		return min(m, newest), nil
	}
	return 0, fmt.Errorf("the oldest version that the guard is for is %s", oldest)
}
