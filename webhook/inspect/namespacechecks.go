package inspect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// JudgeNamespaces judges the namespaces with a key of the project, or a similar key.
//
//	labels                                                     verdict
//	a misspelled key or value, a label written as annotation   failed
//	defaults, without inject                                   failed: no profile applies
//	in a namespace where neither webhook nor guard acts        failed
//	enforce, and Pod Security's own level rejects the          failed: each pod that needs the container is rejected
//	container
//	the same, without enforce                                  a warning: only pods that need no container are
//	                                                           admitted
//	a standard, and the guard leaves out this namespace        failed
//	enforce: privileged, and Pod Security allows all           a warning
func (g Guarding) JudgeNamespaces(namespaces []corev1.Namespace) ([]Check, error) {
	return judgeEach(namespaces, g.judgeNamespace, "valid labels and an enforced standard")
}

// JudgeNamespaceKeys judges only the labels and annotations of namespaces, where the guard is unknown.
func JudgeNamespaceKeys(namespaces []corev1.Namespace) ([]Check, error) {
	return judgeEach(namespaces, judgeNamespaceKeys, "valid labels")
}

// NoGuard is the answer about standards in namespaces where JudgeKubernetes reports that there can be no guard.
func NoGuard() Check {
	return QuestionUnguarded.NotChecked("this cluster has no guard, which would enforce the standards of namespaces").
		fix("the checks of Kubernetes say why", "")
}

// judgeEach judges each namespace. If all pass, a check says how many are enrolled, and with what.
func judgeEach(
	namespaces []corev1.Namespace, judge func(*corev1.Namespace) ([]Check, error), with string,
) ([]Check, error) {
	var checks []Check
	enrolled := 0
	for i := range namespaces {
		found, err := judge(&namespaces[i])
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
		if namespaces[i].Labels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled {
			enrolled++
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionNamespace.Pass("%s enrolled, with %s",
			counted(enrolled, "namespace is", "namespaces are"), with))
	}
	return checks, nil
}

func (g Guarding) judgeNamespace(namespace *corev1.Namespace) ([]Check, error) {
	name, labels, object := namespace.Name, namespace.Labels, "namespace/"+namespace.Name
	_, hasDefaults := labels[v1alpha1.DefaultsLabel]
	switch isOurs := IsGuarded(labels) || hasDefaults; {
	case isOurs && g.Rendered.Excludes(g.Rendered, labels):
		checks, err := judgeKeysOf(QuestionNamespace, object, namespace, "v1", "Namespace")
		command := fmt.Sprintf("kubectl label namespace %s %s- %s- %s-",
			name, v1alpha1.InjectLabel, v1alpha1.EnforceLabel, v1alpha1.DefaultsLabel)
		return append(checks, QuestionExcluded.Fail(object,
			"neither the webhook nor the guard acts in namespace %q, so its labels have no effect", name).
			fix("remove them:", command)), err
	case isOurs && g.Installed.Excludes(g.Rendered, labels):
		checks, err := judgeKeysOf(QuestionNamespace, object, namespace, "v1", "Namespace")
		return append(checks, QuestionExcluded.Fail(object,
			"somebody has excluded namespace %q from the guard, so no standard is enforced for its containers", name).
			fix("unenroll it, or install the guard of this version:", "sysctl-injector unenroll "+name)), err
	}
	checks, err := judgeNamespaceKeys(namespace)
	if err != nil || !IsGuarded(labels) {
		return checks, err
	}
	if value, labelled := labels[psaapi.EnforceLevelLabel]; labelled && levelOf(value) != psaapi.LevelPrivileged {
		return append(checks, judgePodSecurity(object, name, labels)...), nil
	}
	return append(checks, g.judgeEnforcement(object, name, labels)...), nil
}

// judgeNamespaceKeys judges the keys of the project in a namespace, and whether its labels belong together.
func judgeNamespaceKeys(namespace *corev1.Namespace) ([]Check, error) {
	object := "namespace/" + namespace.Name
	checks, err := judgeKeysOf(QuestionNamespace, object, namespace, "v1", "Namespace")
	_, hasInject := namespace.Labels[v1alpha1.InjectLabel]
	if err != nil || hasInject || namespace.Labels[v1alpha1.DefaultsLabel] != v1alpha1.DefaultsEnabled {
		return checks, err
	}
	const inject = v1alpha1.InjectLabel + "=" + v1alpha1.InjectEnabled
	return append(checks, QuestionNamespace.Fail(object,
		"namespace %q has %s=%s without %s: the webhook does not act there, so no profile applies",
		namespace.Name, v1alpha1.DefaultsLabel, v1alpha1.DefaultsEnabled, inject).
		fix("enroll it, or remove the label:",
			fmt.Sprintf("kubectl label namespace %s --overwrite %s", namespace.Name, inject))), nil
}

// judgePodSecurity judges a namespace that has a standard in Pod Security admission itself.
func judgePodSecurity(object, name string, labels map[string]string) []Check {
	command := fmt.Sprintf("sysctl-injector enroll %s --enforce %s", name, EffectiveLevel(labels))
	label := psaapi.EnforceLevelLabel + "=" + labels[psaapi.EnforceLevelLabel]
	if enforce, enrolled := labels[v1alpha1.EnforceLabel]; enrolled {
		return []Check{QuestionPodSecurity.Fail(object,
			"namespace %q has the contradictory labels %s and %s=%s: "+
				"Pod Security admission rejects the injected container, which the guard would admit",
			name, label, v1alpha1.EnforceLabel, enforce).
			fix("let the guard enforce the standard:", command)}
	}
	if labels[v1alpha1.InjectLabel] != v1alpha1.InjectEnabled {
		return nil
	}
	return []Check{QuestionPodSecurity.Warn(object,
		"namespace %q is enrolled and has %s: "+
			"only pods that need no privileged container get their sysctls, and all others are rejected", name, label).
		fix("enroll it, unless that is intended:", command)}
}

// judgeEnforcement judges a namespace without a standard in Pod Security admission, so that only the guard can enforce
// one.
func (g Guarding) judgeEnforcement(object, name string, labels map[string]string) []Check {
	standard, labelled := labels[v1alpha1.EnforceLabel]
	if !labelled {
		standard = string(psaapi.LevelBaseline)
	}
	if standard == string(psaapi.LevelPrivileged) {
		return []Check{QuestionUnguarded.Warn(object,
			"namespace %q has %s=privileged: no standard is enforced for its containers, and no grants are required",
			name, v1alpha1.EnforceLabel).
			fix("choose a standard, unless that is intended:",
				fmt.Sprintf("sysctl-injector enroll %s --enforce baseline", name))}
	}
	err := g.Installed.Covers(g.Rendered, labels)
	if err == nil || len(g.problems()) > 0 { // Judge names all namespaces then
		return nil
	}
	return []Check{QuestionUnguarded.Fail(object,
		"in namespace %q, the guard does not enforce the standard %q: %v", name, standard, err).
		fix(installGuard, g.Command())}
}

// JudgeRuntimeClass judges the keys of a RuntimeClass.
func JudgeRuntimeClass(name string, class any) ([]Check, error) {
	return judgeKeysOf(QuestionRuntimeClass, "runtimeclass/"+name, class, "node.k8s.io/v1", "RuntimeClass")
}

// judgeKeysOf judges the keys of the project in the metadata of an object.
func judgeKeysOf(question Question, object string, of any, apiVersion, kind string) ([]Check, error) {
	encoded, err := json.Marshal(of)
	if err != nil {
		return nil, err
	}
	o := Object{APIVersion: apiVersion, Kind: kind, JSON: gjson.ParseBytes(encoded)}
	var checks []Check
	for _, f := range Keys(o, nil) {
		remedy, command := keyRemedy(object, o, f)
		checks = append(checks, question.Fail(object, "%s: %s", object, f.Err.Error()).fix(remedy, command))
	}
	return checks, nil
}

// keyRemedy returns the command that corrects a key: it sets the nearest label, and keeps the value if it is valid.
func keyRemedy(object string, o Object, f Finding) (remedy, command string) {
	administered := administeredKeys(o)
	if administered == nil || len(f.Path) < 2 {
		return "remove the key", ""
	}
	resource := strings.Replace(object, "/", " ", 1)
	key, kind := f.Path[len(f.Path)-1], f.Path[len(f.Path)-2]
	value := o.JSON.Get("metadata." + kind).Map()[key].String()
	right := key
	if f.Reason == ReasonUnknownKey || !strings.HasPrefix(key, prefix) {
		right = administered.nearest(key)
	}
	values, isLabel := administered.labels[right]
	if !isLabel {
		return "remove it:", fmt.Sprintf("kubectl %s %s %s-", verbOf(kind), resource, key)
	}
	switch {
	case slices.Contains(values, value):
	case right == v1alpha1.EnforceLabel:
		value = string(levelOf(value)) // as the guard reads it
	default:
		value = values[0]
	}
	set := fmt.Sprintf("%s=%s", right, value)
	switch {
	case kind == annotations:
		return "make it a label:",
			fmt.Sprintf("kubectl annotate %s %s- && kubectl label %s --overwrite %s", resource, key, resource, set)
	case key != right:
		return "rename it:", fmt.Sprintf("kubectl label %s --overwrite %s- %s", resource, key, set)
	}
	return "set a valid value:", fmt.Sprintf("kubectl label %s --overwrite %s", resource, set)
}

func verbOf(kind string) string {
	if kind == annotations {
		return "annotate"
	}
	return "label"
}
