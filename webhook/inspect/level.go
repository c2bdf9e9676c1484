package inspect

import (
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Levels are the Pod Security Standards.
func Levels() []string {
	return []string{string(psaapi.LevelBaseline), string(psaapi.LevelRestricted), string(psaapi.LevelPrivileged)}
}

// CurrentLevel returns the standard of a namespace's labels. Without a label, the cluster's default applies, which is
// unknown here: CurrentLevel returns baseline, as the guard assumes.
func CurrentLevel(labels map[string]string) string {
	if _, byPodSecurity := labels[psaapi.EnforceLevelLabel]; !byPodSecurity && !IsGuarded(labels) {
		return string(psaapi.LevelBaseline)
	}
	return string(EffectiveLevel(labels))
}

// EffectiveLevel returns the stricter one of the standards of Pod Security admission and the guard.
func EffectiveLevel(labels map[string]string) psaapi.Level {
	podSecurity, guard := psaapi.LevelPrivileged, psaapi.LevelPrivileged
	if value, ok := labels[psaapi.EnforceLevelLabel]; ok {
		podSecurity = levelOf(value)
	}
	if IsGuarded(labels) {
		guard = psaapi.LevelBaseline
	}
	if value, ok := labels[v1alpha1.EnforceLabel]; ok {
		guard = levelOf(value)
	}
	if psaapi.CompareLevels(podSecurity, guard) > 0 {
		return podSecurity
	}
	return guard
}

// levelOf reads a label as Pod Security admission and the guard do: an unknown level counts as the strictest.
func levelOf(value string) psaapi.Level {
	level, _ := psaapi.ParseLevel(value) // with an error, it is restricted
	return level
}

// IsGuarded reports whether the guard's bindings select a namespace. A label counts with any value, as in the bindings.
func IsGuarded(labels map[string]string) bool {
	_, inject := labels[v1alpha1.InjectLabel]
	_, enforce := labels[v1alpha1.EnforceLabel]
	return inject || enforce
}
