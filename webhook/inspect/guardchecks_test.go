package inspect

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// guarding is an installation with the image that tests inject, on Kubernetes 1.37.
func guarding(t *testing.T) Guarding {
	t.Helper()
	config := guard.Config{Images: []string{"busybox:1"}, GuestHandlers: policy.DefaultGuestHandlers(),
		KubernetesVersion: "v1.37.2"}
	return Guarding{
		Installed: render(t, config), Rendered: render(t, config), Kubernetes: "v1.37.2", Namespace: SystemNamespace,
		Settings: Settings{Image: "busybox:1", GuestHandlers: config.GuestHandlers},
	}
}

func TestJudgeGuard(t *testing.T) {
	const (
		passed = "Passed Guard: 6 ValidatingAdmissionPolicies of the guard are installed and bound, for " +
			"Kubernetes v1.37.2"
		images   = "Passed GuardImages: the guard admits the init image that the server injects"
		settings = "Passed GuardSettings: the guard and the server agree on guest handlers and kubelet sysctls"
		open     = "affected namespaces: shop"
		baseline = `ValidatingAdmissionPolicy "sysctl-injector-baseline" `
		render37 = "sysctl-injector render guard --kubernetes-version v1.37.2 --init-image busybox:1"
		apply    = " | kubectl apply --server-side --force-conflicts -f -"
	)
	for _, test := range []struct {
		name    string
		tweak   func(*testing.T, *Guarding)
		want    []string
		command string // of the first that has not passed
	}{
		{"complete", func(*testing.T, *Guarding) {}, []string{passed, images, settings}, ""},
		{"absent", func(_ *testing.T, g *Guarding) { g.Installed = Guard{} },
			[]string{"Failed Guard: the guard does not enforce standards: it is not installed; " + open}, render37 +
				apply},
		{"a missing policy", func(_ *testing.T, g *Guarding) { g.Installed.Policies = g.Installed.Policies[1:] },
			[]string{`Failed Guard: the guard does not enforce standards: ValidatingAdmissionPolicy ` +
				`"sysctl-injector-baseline" is not installed; ` + open, images, settings}, render37 + apply},
		{"a binding that only audits", func(_ *testing.T, g *Guarding) {
			for i := range g.Installed.Bindings {
				if b := &g.Installed.Bindings[i]; b.Name == "sysctl-injector-restricted" {
					b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
				}
			}
		}, []string{`Failed Guard: the guard does not enforce standards: ValidatingAdmissionPolicyBinding ` +
			`"sysctl-injector-restricted" does not deny: its validationActions are [Audit]; no namespace relies on ` +
			`it yet`, images, settings},
			render37 + apply},
		{"of another version of Kubernetes", func(t *testing.T, g *Guarding) {
			g.Installed = render(t, guard.Config{Images: []string{"busybox:1"},
				GuestHandlers: g.Settings.GuestHandlers, KubernetesVersion: "1.33"})
		}, []string{`Failed Guard: the guard does not enforce standards: ValidatingAdmissionPolicy ` +
			`"sysctl-injector-baseline" differs from this version in variables; ` +
			`ValidatingAdmissionPolicy "sysctl-injector-restricted" differs from this version in ` +
			`variables; ` + open, images, settings}, render37 + apply},
		{"another image", func(_ *testing.T, g *Guarding) { g.Settings.Image = "busybox:2" },
			[]string{passed, "Failed GuardImages: the guard admits the init image busybox:1, but the server injects " +
				"busybox:2: the guard rejects every pod with the injected container", settings},
			"sysctl-injector render guard --kubernetes-version v1.37.2 --init-image busybox:2 --previous-init-image " +
				"busybox:1" + apply},
		{"other guest handlers", func(_ *testing.T, g *Guarding) { g.Settings.GuestHandlers = []string{"own", "kata"} },
			[]string{passed, images, "Failed GuardSettings: the guard has guestHandlers [" +
				strings.Join(policy.DefaultGuestHandlers(), " ") +
				"], but the server has [own kata]: one allows what the other rejects"}, render37 +
				" --guest-handlers own,kata" + apply},
		{"other kubelet " +
			"sysctls", func(_ *testing.T, g *Guarding) { g.Settings.KubeletSysctls = []string{"net.core.*"} },
			[]string{passed, images, "Failed GuardSettings: the guard has kubeletSysctls [], but the server " +
				"has [net.core.*]: one allows what the other rejects"},
			render37 + " --kubelet-sysctls 'net.core.*'" + apply},
		{"images that are no list", func(_ *testing.T, g *Guarding) {
			setVariable(g, "images", "object.spec.initContainers.map(c, c.image)", "sysctl-injector-baseline")
		}, []string{"Failed Guard: the guard does not enforce standards: " + baseline + "differs from this version " +
			"in variables; " + open, "Failed GuardImages: the variable images of " + baseline + "is not a list of " +
			"strings, so the guard may admit any init image", settings}, render37 + apply},
		{"images that are null", func(_ *testing.T, g *Guarding) {
			setVariable(g, "images", "null", "sysctl-injector-baseline")
		}, []string{"Failed Guard: the guard does not enforce standards: " + baseline + "differs from this version " +
			"in variables; " + open, "Failed GuardImages: the variable images of " + baseline + "is not a list of " +
			"strings, so the guard may admit any init image", settings}, render37 + apply},
		{"no images", func(_ *testing.T, g *Guarding) {
			setVariable(g, "images", "[]", "sysctl-injector-baseline", "sysctl-injector-restricted")
		}, []string{passed, "Failed GuardImages: the guard admits no init image, but the server injects busybox:1: " +
			"the guard rejects every pod with the injected container", settings}, render37 + apply},
		{"another image in one policy", func(_ *testing.T, g *Guarding) {
			setVariable(g, "images", `["busybox:2"]`, "sysctl-injector-restricted")
		}, []string{passed, "Failed GuardImages: the guard admits the init image busybox:2, but the server injects " +
			"busybox:1: the guard rejects every pod with the injected container", settings},
			render37 + " --previous-init-image busybox:2" + apply},
		{"guest handlers that are no list", func(_ *testing.T, g *Guarding) {
			setVariable(g, "guestHandlers", "[params.handler]", "sysctl-injector-kernel")
		}, []string{`Failed Guard: the guard does not enforce standards: ValidatingAdmissionPolicy ` +
			`"sysctl-injector-kernel" differs from this version in variables; ` + open, images,
			`Failed GuardSettings: the variable guestHandlers of ValidatingAdmissionPolicy "sysctl-injector-kernel" ` +
				"is not a list of strings, so the guard may allow what the server rejects"}, render37 + apply},
		{"another namespace", func(t *testing.T, g *Guarding) {
			g.Namespace = "tuning"
			var err error
			if g.Rendered, err = g.Rendered.In("tuning"); err != nil {
				t.Fatal(err)
			}
			g.Installed = Guard{}
		}, []string{"Failed Guard: the guard does not enforce standards: it is not installed; " + open},
			render37 + " | sed s/sysctl-injector-system/tuning/" + apply},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := guarding(t)
			test.tweak(t, &g)
			shop := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop",
				Labels: map[string]string{v1alpha1.InjectLabel: "enabled"}}}
			got := g.Judge([]corev1.Namespace{shop, {}}, true)
			wantAnswers(t, got, test.want...)
			wantCommand(t, got, test.command)
		})
	}
}

// setVariable sets the expression of a variable of installed policies.
func setVariable(g *Guarding, variable, expression string, policies ...string) {
	for _, name := range policies {
		variables := g.Installed.policy(name).Spec.Variables
		for i := range variables {
			if variables[i].Name == variable {
				variables[i].Expression = expression
			}
		}
	}
}

// wantCommand compares the command of the first check that has not passed.
func wantCommand(t *testing.T, checks []Check, want string) {
	t.Helper()
	got := ""
	for _, c := range checks {
		if c.Status != Passed {
			got = c.Command
			break
		}
	}
	if got != want {
		t.Errorf("the command is\n%s\nwant\n%s", got, want)
	}
}

func TestJudgeNamespaces(t *testing.T) {
	const enroll = "sysctl-injector enroll shop --enforce "
	for _, test := range []struct {
		name                string
		labels, annotations map[string]string
		withoutGuard        bool
		want                []string
		command             string
	}{
		{"enrolled", map[string]string{v1alpha1.InjectLabel: "enabled", v1alpha1.EnforceLabel: "restricted",
			psaapi.EnforceLevelLabel: "privileged"}, nil, false,
			[]string{"Passed NamespaceKeys: 1 namespace is enrolled, with valid labels and an enforced " +
				"standard"}, ""},
		{"enrolled, with the guard's default standard", map[string]string{v1alpha1.InjectLabel: "enabled"}, nil, false,
			[]string{"Passed NamespaceKeys: 1 namespace is enrolled, with valid labels and an enforced " +
				"standard"}, ""},
		{"without keys of the project", map[string]string{"team": "a"}, nil, true,
			[]string{"Passed NamespaceKeys: 0 namespaces are enrolled, with valid labels and an enforced " +
				"standard"}, ""},
		{"an invalid value", map[string]string{v1alpha1.InjectLabel: "true"}, nil, false,
			[]string{`Failed NamespaceKeys: namespace/shop: metadata.labels[sysctl-injector.dev/inject]: Invalid ` +
				`value: "true": only the value enabled enrolls the namespace; if it must not be enrolled, remove ` +
				`the label`},
			"kubectl label namespace shop --overwrite sysctl-injector.dev/inject=enabled"},
		{"an unknown standard", map[string]string{v1alpha1.EnforceLabel: "strict"}, nil, false,
			[]string{`Failed NamespaceKeys: namespace/shop: metadata.labels[sysctl-injector.dev/enforce]: Invalid ` +
				`value: "strict": the guard treats any value except baseline, restricted, privileged as restricted`},
			"kubectl label namespace shop --overwrite sysctl-injector.dev/enforce=restricted"},
		{"a misspelled label", map[string]string{"sysctl-injector.io/inject": "enabled"}, nil, false,
			[]string{"Failed NamespaceKeys: namespace/shop: metadata.labels[sysctl-injector.io/inject]: Forbidden: " +
				"no such key; did you mean metadata.labels[sysctl-injector.dev/inject]?"},
			"kubectl label namespace shop --overwrite sysctl-injector.io/inject- sysctl-injector.dev/inject=enabled"},
		{"an annotation in place of a label", nil, map[string]string{v1alpha1.InjectLabel: "enabled"}, false,
			[]string{"Failed NamespaceKeys: namespace/shop: metadata.annotations[sysctl-injector.dev/inject]: " +
				"Forbidden: this is a label; move it to metadata.labels"},
			"kubectl annotate namespace shop sysctl-injector.dev/inject- && kubectl label namespace shop " +
				"--overwrite sysctl-injector.dev/inject=enabled"},
		{"a pod's key", nil, map[string]string{v1alpha1.SysctlsAnnotation: "kernel.sem = 1"}, false,
			[]string{"Failed NamespaceKeys: namespace/shop: metadata.annotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: this has no effect in a Namespace, whose keys are the labels " +
				"sysctl-injector.dev/defaults, sysctl-injector.dev/enforce, sysctl-injector.dev/inject; keys of " +
				"pods belong in the pod's metadata, which is spec.template.metadata in a Deployment"},
			"kubectl annotate namespace shop sysctl-injector.dev/sysctls-"},
		{"contradictory labels", map[string]string{v1alpha1.InjectLabel: "enabled", v1alpha1.EnforceLabel: "baseline",
			psaapi.EnforceLevelLabel: "restricted"}, nil, false,
			[]string{`Failed NamespacePodSecurity: namespace "shop" has the contradictory labels ` +
				`pod-security.kubernetes.io/enforce=restricted and sysctl-injector.dev/enforce=baseline: ` +
				"Pod Security admission rejects the injected container, which the guard would admit"}, enroll +
				"restricted"},
		{"enrolled, with a standard in Pod Security admission", map[string]string{v1alpha1.InjectLabel: "enabled",
			psaapi.EnforceLevelLabel: "baseline"}, nil, true,
			[]string{`Warning NamespacePodSecurity: namespace "shop" is enrolled and has ` +
				`pod-security.kubernetes.io/enforce=baseline: only pods that need no privileged container get their ` +
				`sysctls, ` +
				"and all others are rejected"}, enroll + "baseline"},
		{"defaults without injection", map[string]string{v1alpha1.DefaultsLabel: "enabled"}, nil, false,
			[]string{`Failed NamespaceKeys: namespace "shop" has sysctl-injector.dev/defaults=enabled without ` +
				`sysctl-injector.dev/inject=enabled: the webhook does not act there, so no profile applies`},
			"kubectl label namespace shop --overwrite sysctl-injector.dev/inject=enabled"},
		{"defaults in a guarded namespace without injection", map[string]string{v1alpha1.DefaultsLabel: "enabled",
			v1alpha1.EnforceLabel: "baseline"}, nil, false,
			[]string{`Failed NamespaceKeys: namespace "shop" has sysctl-injector.dev/defaults=enabled without ` +
				`sysctl-injector.dev/inject=enabled: the webhook does not act there, so no profile applies`},
			"kubectl label namespace shop --overwrite sysctl-injector.dev/inject=enabled"},
		{"defaults and an invalid value", map[string]string{v1alpha1.DefaultsLabel: "enabled",
			v1alpha1.InjectLabel: "true"}, nil, false,
			[]string{`Failed NamespaceKeys: namespace/shop: metadata.labels[sysctl-injector.dev/inject]: Invalid ` +
				`value: "true": only the value enabled enrolls the namespace; if it must not be enrolled, remove ` +
				`the label`},
			"kubectl label namespace shop --overwrite sysctl-injector.dev/inject=enabled"},
		{"without a standard on purpose", map[string]string{v1alpha1.InjectLabel: "enabled",
			v1alpha1.EnforceLabel: "privileged"}, nil, false,
			[]string{`Warning NamespaceUnguarded: namespace "shop" has sysctl-injector.dev/enforce=privileged: ` +
				`no standard is enforced for its containers, and no grants are required`}, enroll + "baseline"},
		{"a standard without any guard, which Judge reports", map[string]string{v1alpha1.EnforceLabel: "restricted"},
			nil, true,
			[]string{"Passed NamespaceKeys: 0 namespaces are enrolled, with valid labels and an enforced " +
				"standard"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := guarding(t)
			if test.withoutGuard {
				g.Installed = Guard{}
			}
			got, err := g.JudgeNamespaces([]corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop",
				Labels: test.labels, Annotations: test.annotations}}})
			if err != nil {
				t.Fatal(err)
			}
			wantAnswers(t, got, test.want...)
			wantCommand(t, got, test.command)
		})
	}
}

// A binding that does not select one namespace is still complete for all others.
func TestJudgeNamespaceWithoutBinding(t *testing.T) {
	g := guarding(t)
	for i := range g.Installed.Bindings {
		if b := &g.Installed.Bindings[i]; b.Name == "sysctl-injector-restricted" {
			selector := b.Spec.MatchResources.NamespaceSelector
			selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
				Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"shop"},
			})
		}
	}
	if got := g.Judge(nil, true); got[0].Status != Passed {
		t.Errorf("the guard: %s", got[0].Message)
	}
	got, err := g.JudgeNamespaces([]corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop",
		Labels: enrolled("restricted")}}})
	if err != nil {
		t.Fatal(err)
	}
	wantAnswers(t, got, `Failed NamespaceUnguarded: in namespace "shop", the guard does not enforce the standard `+
		`"restricted": `+
		`ValidatingAdmissionPolicyBinding "sysctl-injector-restricted" does not select this namespace`)
	wantCommand(t, got, "sysctl-injector render guard --kubernetes-version v1.37.2 --init-image busybox:1 | kubectl "+
		"apply --server-side --force-conflicts -f -")
}

func TestJudgeExcludedNamespaces(t *testing.T) {
	g := guarding(t)
	for name, label := range map[string]string{"kube-system": v1alpha1.InjectLabel,
		SystemNamespace: v1alpha1.DefaultsLabel} {
		labels := map[string]string{label: "enabled", corev1.LabelMetadataName: name}
		got, err := g.JudgeNamespaces([]corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}})
		if err != nil {
			t.Fatal(err)
		}
		wantAnswers(t, got, `Failed NamespaceExcluded: neither the webhook nor the guard acts in namespace `+
			`"`+name+`", so its labels have no effect`)
	}
}

// A policy of the installed guard that leaves out a namespace leaves it without a standard, while the webhook acts there.
func TestJudgeNamespacesOutsideTheGuard(t *testing.T) {
	g := guarding(t)
	for i := range g.Installed.Policies {
		selector := g.Installed.Policies[i].Spec.MatchConstraints.NamespaceSelector
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"shop"}})
	}
	got, err := g.JudgeNamespaces([]corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop",
		Labels: map[string]string{v1alpha1.InjectLabel: "enabled", corev1.LabelMetadataName: "shop"}}}})
	if err != nil {
		t.Fatal(err)
	}
	wantAnswers(t, got, `Failed NamespaceExcluded: somebody has excluded namespace "shop" from the guard, so no `+
		`standard is enforced for its containers`)
	wantCommand(t, got, "sysctl-injector unenroll shop")
}

func TestJudgeAnIncompleteGuardWithoutTheNamespaces(t *testing.T) {
	g := guarding(t)
	g.Installed = Guard{}
	wantAnswers(t, g.Judge(nil, false), "Failed Guard: the guard does not enforce standards: it is not installed; "+
		"which namespaces rely on it is not known")
}
