package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	askingTemplate = "{metadata: {annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}}, " +
		"spec: {containers: [{name: web, image: nginx}]}}"
	plainTemplate = "{metadata: {}, spec: {containers: [{name: web, image: nginx}]}}"
)

// inject says what it did with each object, and what it cannot do.
func TestInjectReports(t *testing.T) {
	deployment := func(metadata, template string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web" + metadata + "}\nspec: {template: " +
			template + "}\n"
	}
	rollout := func(spec string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: " + spec + "\n"
	}
	pod := func(namespace string) string {
		return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: " + namespace +
			", annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}}\n" +
			"spec: {containers: [{name: web, image: nginx}]}\n"
	}
	namespace := func(metadata string) string {
		return "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n" + metadata
	}
	const at = "standard input: line "
	for _, test := range []struct {
		name, in string
		args     []string
		code     int
		injected int // how many containers are in the output
		errOut   string
	}{
		{"what it did with each workload", deployment("", askingTemplate) + "---\n" + deployment("", plainTemplate) +
			"---\n" + deployment("", strings.Replace(askingTemplate, "sysctls: net.core.somaxconn = 4096",
			`inject: "false"`, 1)) + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n", nil, 0, 1,
			at + "1: Deployment \"web\": injected; sets net.core.somaxconn=4096\n" +
				at + "6: Deployment \"web\": asks for no sysctl\n" +
				at + "11: Deployment \"web\": left alone, as its annotation sysctl-injector.dev/inject says\n" +
				"standard input: objects without pods, passed through: 1\n"},
		{"a key one level too high", deployment(", annotations: {sysctl-injector.dev/profiles: nginx}", plainTemplate),
			nil, 1, 0,
			"error: " + at + "3: Deployment \"web\": MisplacedKey: " +
				"metadata.annotations[sysctl-injector.dev/profiles]: Forbidden: this is a key of " +
				"spec.template.metadata.annotations; move it there\n"},
		{"a template in a kind that is not known", rollout("{template: " + askingTemplate + "}"), nil, 0, 1,
			"Warning: " + at + "1: Rollout \"web\": spec.template: this kind is not known; the pod template was " +
				"found by its shape. Check that the pods get its annotations and init containers\n" +
				at + "1: Rollout \"web\": spec.template: injected; sets net.core.somaxconn=4096\n"},
		{"a template whose path is named", rollout("{sets: [{pods: " + askingTemplate + "}, {pods: " + plainTemplate +
			"}]}"), []string{"--template-path", "Rollout.argoproj.io=spec.sets[*].pods"}, 0, 1,
			at + "1: Rollout \"web\": injected; sets net.core.somaxconn=4096\n" + at +
				"1: Rollout \"web\": asks for no sysctl\n"},
		{"a template that the cluster would reject", rollout("{template: " + strings.Replace(askingTemplate,
			"net.core.somaxconn", "vm.swappiness", 1) + "}"), nil, 1, 0,
			"error: " + at + "1: Rollout \"web\": spec.template: NodeLevel: " +
				"spec.template.metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: vm.swappiness " +
				"is node-level: it would change the node and every pod on it. An administrator can set it on the " +
				"node, or the pod can run under a RuntimeClass that gives it a kernel of its own (Kata Containers, " +
				"for one)\n"},
		{"a key that it cannot decide on",
			rollout("{podAnnotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}}"), nil, 0, 0,
			"Warning: " + at + "4: Rollout \"web\": UnknownKind: spec.podAnnotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: kind Rollout is not known, and this is not in a pod template: its controller decides " +
				"whether its pods get the key, and the webhook decides on those pods; if it has a template, name it " +
				"with --template-path\nstandard input: objects without pods, passed through: 1\n"},
		{"a key that it cannot decide on, as an error",
			rollout("{podAnnotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}}"),
			[]string{"--strict"}, 1, 0,
			"Warning: " + at + "4: Rollout \"web\": UnknownKind: spec.podAnnotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: kind Rollout is not known, and this is not in a pod template: its controller decides " +
				"whether its pods get the key, and the webhook decides on those pods; if it has a template, name it " +
				"with --template-path\nerror: --strict: annotations outside a known pod template: 1, see the " +
				"warnings\n"},
		{"a key that it cannot decide on, and that no pod may have",
			rollout("{podAnnotations: {sysctl-injector.dev/sysctls: net.core.somaxconn}}") + "---\n" +
				rollout("{podLabels: {sysctl-injector.dev/sysctl: a}}"), nil, 1, 0,
			"error: " + at + "4: Rollout \"web\": UnknownKind: spec.podAnnotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: kind Rollout is not known, and this is not in a pod template: its controller decides " +
				"whether its pods get the key, and the webhook decides on those pods; if it has a template, name it " +
				"with --template-path; a pod with it would be rejected: InvalidAnnotation: " +
				"metadata.annotations[sysctl-injector.dev/sysctls]: Invalid value: \"net.core.somaxconn\": line 1: " +
				"there is no \"=\": write one \"name = value\" a line\n" +
				at + "9: Rollout \"web\": UnknownKey: spec.podLabels[sysctl-injector.dev/sysctl]: Forbidden: no such " +
				"key; did you mean metadata.annotations[sysctl-injector.dev/sysctls]?\n"},
		{"a key that it cannot decide on, and that most pods may not have",
			rollout("{podAnnotations: {sysctl-injector.dev/sysctls: vm.swappiness = 1}}"), []string{"-q"}, 0, 0,
			"Warning: " + at + "4: Rollout \"web\": UnknownKind: spec.podAnnotations[sysctl-injector.dev/sysctls]: " +
				"Forbidden: kind Rollout is not known, and this is not in a pod template: its controller decides " +
				"whether its pods get the key, and the webhook decides on those pods; if it has a template, name it " +
				"with --template-path; a pod with it would be rejected: NodeLevel: " +
				"metadata.annotations[sysctl-injector.dev/sysctls]: Forbidden: line 1: vm.swappiness is node-level: " +
				"it would change the node and every pod on it. An administrator can set it on the node, or the pod " +
				"can run under a RuntimeClass that gives it a kernel of its own (Kata Containers, for one)\n"},
		{"a parameter of an OpenShift Template",
			"apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: web}\nobjects:\n- " +
				strings.ReplaceAll(strings.TrimSpace(deployment("", strings.Replace(askingTemplate,
					"net.core.somaxconn = 4096", `"net.core.somaxconn = ${BACKLOG}"`, 1))), "\n", "\n  ") + "\n",
			nil, 0, 0,
			"Warning: " + at + "1: Template \"web\": its annotation holds a parameter of the Template: use this " +
				"command on the output of `oc process` instead\n" +
				at + "1: Template \"web\": unchanged, since it contains a parameter\n"},
		{"a namespace with a wrong label", namespace("  labels: {sysctl-injector.dev/inject: \"true\"}\n") +
			pod("shop"), nil, 1, 0,
			"error: " + at + "5: Namespace \"shop\": UnknownValue: metadata.labels[sysctl-injector.dev/inject]: " +
				"Invalid value: \"true\": only the value enabled enrolls the namespace; if it must not be enrolled, " +
				"remove the label\n"},
		{"a namespace with an annotation for the label",
			namespace("  annotations:\n    sysctl-injector.dev/inject: enabled\n") + pod("shop"), nil, 1, 0,
			"error: " + at + "6: Namespace \"shop\": MisplacedKey: metadata.annotations[sysctl-injector.dev/inject]: " +
				"Forbidden: this is a label; move it to metadata.labels\n"},
		{"a namespace that is not enrolled", namespace("") + pod("shop"), nil, 0, 1,
			"Warning: " + at + "6: Pod \"web\": NamespaceNotEnabled: its namespace \"shop\" is in the files, without " +
				"the label sysctl-injector.dev/inject=enabled, so the webhook does not act there: " +
				"the pod would start without its sysctls\n" +
				at + "6: Pod \"web\": injected; sets net.core.somaxconn=4096\n" +
				"standard input: objects without pods, passed through: 1\n"},
		{"nothing of a namespace that is enrolled", namespace("  labels: {sysctl-injector.dev/inject: enabled}\n") +
			pod("shop"), []string{"--quiet"}, 0, 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errOut := run(t, test.in, append([]string{"inject", "-f", "-"}, test.args...)...)
			if code != test.code || strings.Count(out, "name: sysctl-injector,") != test.injected {
				t.Errorf("exit code %d, want %d; %d containers, want %d, in\n%s", code, test.code,
					strings.Count(out, "name: sysctl-injector,"), test.injected, out)
			}
			if diff := cmp.Diff(test.errOut, errOut); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

// companion reads the same templates, and rejects the same keys.
func TestCompanionReadsTemplatesByShape(t *testing.T) {
	const rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {template: " +
		askingTemplate + "}\n"
	code, out, errOut := run(t, rollout, "companion", "-f", "-")
	if code != 0 || !strings.Contains(out, "net.core.somaxconn") {
		t.Errorf("got %d, %s\n%s", code, errOut, out)
	}
	misplaced := strings.Replace(rollout, "{name: web}",
		"{name: web, annotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 1}}", 1)
	if code, _, errOut = run(t, misplaced, "companion", "-f", "-"); code != 1 ||
		!strings.Contains(errOut, "MisplacedKey") {
		t.Errorf("got %d, %s", code, errOut)
	}
}

// enroll warns of an annotation that somebody took for the label.
func TestEnrollWarnsOfKeysWithoutEffect(t *testing.T) {
	var out strings.Builder
	err := warnOfKeys(&out, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        "shop",
		Annotations: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled},
		Labels:      map[string]string{v1alpha1.InjectLabel: "true"}, // enroll changes this one
	}})
	want := "Warning: namespace \"shop\": metadata.annotations[sysctl-injector.dev/inject]: Forbidden: this is a " +
		"label; move it to metadata.labels\n"
	if err != nil || out.String() != want {
		t.Errorf("got %v, %q, want %q", err, out.String(), want)
	}
}
