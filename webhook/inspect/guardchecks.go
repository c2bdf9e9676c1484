package inspect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Guarding holds the guard of an installation, and the guard that this version renders for the cluster.
type Guarding struct {
	Installed, Rendered Guard
	Settings            Settings
	// Kubernetes is the version of the API server.
	Kubernetes string
	// Namespace is that of the installation.
	Namespace string
}

// installGuard is the remedy for the method command.
const installGuard = "install the guard of this version:"

// kinds are sets of namespace labels. Each binding selects at least one of them.
func kinds() []map[string]string {
	var all []map[string]string
	for _, enforce := range append([]string{""}, Levels()...) {
		labels := map[string]string{
			v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.DefaultsLabel: v1alpha1.DefaultsEnabled,
		}
		if enforce != "" {
			labels[v1alpha1.EnforceLabel] = enforce
		}
		all = append(all, labels)
	}
	return all
}

// Excludes reports whether neither the webhook nor the guard acts in a namespace with these labels: in kube-system, in
// the installation's own namespace, and where somebody has excluded it from the installed guard.
func (g Guarding) Excludes(namespace map[string]string) bool {
	return g.Rendered.Excludes(g.Rendered, namespace) || g.Installed.Excludes(g.Rendered, namespace)
}

// problems returns why the guard does not enforce standards. There are none if it does so in namespaces of every kind.
func (g Guarding) problems() []string {
	if !g.Installed.hasAnyOf(g.Rendered) {
		return []string{"it is not installed"}
	}
	var problems []string
	for _, labels := range kinds() {
		if err := g.Installed.Covers(g.Rendered, labels); err != nil && !slices.Contains(problems, err.Error()) {
			problems = append(problems, err.Error())
		}
	}
	return problems
}

// Judge checks whether the guard is complete, has this version and the cluster's Kubernetes version, and admits the
// server's init image. If it is incomplete, Judge names the namespaces in which no standard is enforced, if all
// namespaces are known.
func (g Guarding) Judge(namespaces []corev1.Namespace, allKnown bool) []Check {
	problems := g.problems()
	if len(problems) == 0 {
		complete := QuestionGuard.Pass("%s of the guard are installed and bound, for Kubernetes %s",
			counted(len(g.Rendered.Policies), "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicies"), g.Kubernetes)
		return append([]Check{complete}, g.judgeChoices()...)
	}
	effect := "no namespace relies on it yet"
	if open := g.unprotected(namespaces); !allKnown {
		effect = "which namespaces rely on it is not known"
	} else if len(open) > 0 {
		effect = "affected namespaces: " + list(open)
	}
	failed := QuestionGuard.Fail("",
		"the guard does not enforce standards: %s; %s", strings.Join(problems, "; "), effect).
		fix(installGuard, g.Command())
	if !g.Installed.hasAnyOf(g.Rendered) {
		return []Check{failed}
	}
	return append([]Check{failed}, g.judgeChoices()...)
}

// unprotected returns the namespaces that rely on the guard although it does not enforce their standard.
func (g Guarding) unprotected(namespaces []corev1.Namespace) []string {
	var names []string
	for i := range namespaces {
		if n := &namespaces[i]; reliesOnGuard(n.Labels) && g.Installed.Covers(g.Rendered, n.Labels) != nil {
			names = append(names, n.Name)
		}
	}
	return names
}

// reliesOnGuard reports whether only the guard enforces a standard in a namespace.
func reliesOnGuard(labels map[string]string) bool {
	if !IsGuarded(labels) || labels[v1alpha1.EnforceLabel] == string(psaapi.LevelPrivileged) {
		return false
	}
	value, labelled := labels[psaapi.EnforceLevelLabel]
	return !labelled || levelOf(value) == psaapi.LevelPrivileged
}

// judgeChoices compares the guard's configuration with the server's.
func (g Guarding) judgeChoices() []Check {
	return append([]Check{g.judgeImages()}, g.judgeSettings()...)
}

// judgeImages checks whether each policy with a list of init images admits the server's.
func (g Guarding) judgeImages() Check {
	for _, images := range g.Installed.choices(g.Rendered, "images") {
		switch {
		case !images.isList:
			return QuestionGuardImages.Fail("", "%s, so the guard may admit any init image", images.problem("images")).
				fix(installGuard, g.Command())
		case !slices.Contains(images.values, g.Settings.Image):
			return QuestionGuardImages.Fail("",
				"the guard admits %s, but the server injects %s: "+
					"the guard rejects every pod with the injected container",
				imagesOf(images.values), g.Settings.Image).
				fix("let the guard admit both, until the last pod with the previous image is gone:", g.Command())
		}
	}
	return QuestionGuardImages.Pass("the guard admits the init image that the server injects")
}

func imagesOf(images []string) string {
	if len(images) == 0 {
		return "no init image"
	}
	return "the init image " + list(images)
}

// problem describes a chosen variable that is no list of strings.
func (c choice) problem(variable string) string {
	return fmt.Sprintf("the variable %s of ValidatingAdmissionPolicy %q is not a list of strings", variable, c.policy)
}

func (g Guard) hasAnyOf(rendered Guard) bool {
	for _, want := range rendered.Policies {
		if g.policy(want.Name) != nil {
			return true
		}
	}
	return false
}

// judgeSettings compares the lists that both the server and the guard have.
func (g Guarding) judgeSettings() []Check {
	var checks []Check
	for _, setting := range []struct {
		name string
		want []string
	}{
		{"guestHandlers", g.Settings.GuestHandlers},
		{"kubeletSysctls", g.Settings.KubeletSysctls},
	} {
		if problem := g.settingProblem(setting.name, setting.want); problem != "" {
			checks = append(checks, QuestionGuardSettings.Fail("", "%s", problem).
				fix("render the guard with the server's setting:", g.Command()))
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionGuardSettings.Pass(
			"the guard and the server agree on guest handlers and kubelet sysctls"))
	}
	return checks
}

// settingProblem returns how a list of the guard differs from the server's, for the first policy in which it does.
func (g Guarding) settingProblem(name string, want []string) string {
	for _, have := range g.Installed.choices(g.Rendered, name) {
		switch {
		case !have.isList:
			return have.problem(name) + ", so the guard may allow what the server rejects"
		case !sameSet(have.values, want):
			return fmt.Sprintf("the guard has %s [%s], but the server has [%s]: one allows what the other rejects",
				name, strings.Join(have.values, " "), strings.Join(want, " "))
		}
	}
	return ""
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// Command returns the command that renders the guard for the server's settings and applies it. It keeps the init
// images that the installed guard admits.
func (g Guarding) Command() string {
	args := []string{"sysctl-injector render guard --kubernetes-version", shellQuote(g.Kubernetes)}
	if g.Settings.Image != form.DefaultImage() {
		args = append(args, "--init-image", shellQuote(g.Settings.Image))
	}
	for _, image := range g.Installed.Exceptions(g.Rendered).Images {
		if image != g.Settings.Image {
			args = append(args, "--previous-init-image", shellQuote(image))
		}
	}
	if !sameSet(g.Settings.GuestHandlers, policy.DefaultGuestHandlers()) {
		args = append(args, "--guest-handlers", shellQuote(strings.Join(g.Settings.GuestHandlers, ",")))
	}
	if len(g.Settings.KubeletSysctls) > 0 {
		args = append(args, "--kubelet-sysctls", shellQuote(strings.Join(g.Settings.KubeletSysctls, ",")))
	}
	if g.Namespace != SystemNamespace {
		args = append(args, fmt.Sprintf("| sed s/%s/%s/", SystemNamespace, g.Namespace))
	}
	return strings.Join(args, " ") + " | kubectl apply --server-side --force-conflicts -f -"
}

// In returns the guard for an installation in another namespace, as the chart renders it.
func (g Guard) In(namespace string) (Guard, error) {
	encoded, err := json.Marshal(g)
	if err != nil || namespace == SystemNamespace {
		return g, err
	}
	var moved Guard
	err = json.Unmarshal([]byte(strings.ReplaceAll(string(encoded), SystemNamespace, namespace)), &moved)
	return moved, err
}
