package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// workloadOptions name manifests with workloads, and the objects and settings for decisions on them.
type workloadOptions struct {
	objectOptions
	containerOptions
	fileOptions
	namespace string
}

func (o *workloadOptions) addFlags(cmd *cobra.Command) {
	o.objectOptions.addFlags(cmd)
	o.containerOptions.addFlags(cmd)
	o.fileOptions.addFlags(cmd)
	o.addStrictFlag(cmd, "files that are not Kubernetes objects, and on annotations outside a known pod template")
	cmd.Flags().StringVarP(&o.namespace, "namespace", "n", "default", "namespace of workloads that name none")
}

// workloads are manifests, and everything for a decision on them.
type workloads struct {
	files     []file
	namespace string
	injector  *injection.Injector
	objects   *source.Snapshot
	finder    *workload.Finder
	strict    bool // --strict
	// undecided counts the keys that are in objects of unknown kinds and outside a pod template, and the pod templates
	// with a parameter.
	undecided int
}

// checkNamespace checks a value of --namespace.
func checkNamespace(name string) error {
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return fmt.Errorf("--namespace: %q: %s", name, strings.Join(problems, "; "))
	}
	return nil
}

// open reads the named files and the objects for decisions. It does not check the files' content.
func (o *workloadOptions) open(cmd *cobra.Command, arguments []string) (*workloads, error) {
	finder, err := o.finder()
	if err != nil {
		return nil, err
	}
	if err := checkNamespace(o.namespace); err != nil {
		return nil, usageError{err}
	}
	w := &workloads{namespace: o.namespace, finder: finder, strict: o.strict}
	if w.injector, err = o.injector(); err != nil {
		return nil, err
	}
	if w.objects, err = o.load(cmd.Context(), cmd.InOrStdin()); err != nil {
		return nil, err
	}
	w.files, err = o.readManifests(cmd, arguments)
	return w, err
}

// read reads files of Kubernetes objects, and reports keys that have no effect.
func (o *workloadOptions) read(cmd *cobra.Command, arguments []string) (*workloads, error) {
	w, err := o.open(cmd, arguments)
	if err != nil {
		return nil, err
	}
	if w.files, err = onlyObjects(w.files, o.strict, cmd.ErrOrStderr()); err != nil {
		return nil, err
	}
	err = eachFile(w.files, func(f file) error {
		objects, err := manifest.Objects(f.content)
		if err != nil {
			return err
		}
		warnings, err := addReviewed(w.objects, objects)
		errs := []error{err}
		for _, o := range objects {
			warned, err := w.inspect(o)
			warnings, errs = append(warnings, warned...), append(errs, err)
		}
		for _, warning := range warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s: %s\n", f.name, warning)
		}
		return errors.Join(errs...)
	})
	return w, err
}

// eachFile calls do for every file. With --strict, it then fails if there was no decision on an annotation.
func (w *workloads) eachFile(do func(file) error) error {
	if err := eachFile(w.files, do); err != nil {
		return err
	}
	if w.strict && w.undecided > 0 {
		return fmt.Errorf("--strict: annotations outside a known pod template: %d, see the warnings", w.undecided)
	}
	return nil
}

// rewriteEach returns the files with the content that rewrite gives each, after the checks of eachFile.
func (w *workloads) rewriteEach(rewrite func(file) ([]byte, error)) ([]file, error) {
	var rewritten []file
	err := w.eachFile(func(f file) (err error) {
		f.content, err = rewrite(f)
		rewritten = append(rewritten, f)
		return err
	})
	return rewritten, err
}

// find returns the paths of an object's pod templates.
func (w *workloads) find(o manifest.Object) []workload.Location {
	return w.finder.Find(o.APIVersion, o.Kind, gjson.ParseBytes(o.JSON))
}

// inspect reports the keys of an object that have no effect in their place.
func (w *workloads) inspect(o manifest.Object) (warnings []string, err error) {
	places := w.find(o)
	var errs []error
	for _, f := range inspect.Keys(inspect.Object{APIVersion: o.APIVersion, Kind: o.Kind,
		JSON: gjson.ParseBytes(o.JSON)}, places) {
		text := fmt.Sprintf("line %d: %s %q: %s: %s", o.LineOf(f.Path), o.Kind, o.Name, f.Reason, f.Err)
		if !f.Warning {
			errs = append(errs, errors.New(text))
			continue
		}
		if f.Reason == inspect.ReasonUnknownKind {
			w.undecided++
			rejection, never := w.supposed(o, f)
			if never {
				errs = append(errs, errors.New(text+"; "+rejection))
				continue
			}
			if rejection != "" {
				text += "; " + rejection
			}
		}
		warnings = append(warnings, oneLine(text))
	}
	return warnings, errors.Join(errs...)
}

// supposed decides on an annotation outside a pod template as if an ordinary pod had it. Never is set if no pod may
// have it.
func (w *workloads) supposed(o manifest.Object, f inspect.Finding) (rejection string, never bool) {
	key := f.Path[len(f.Path)-1]
	value := workload.At(gjson.ParseBytes(o.JSON), f.Path).String()
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}},
		"spec": map[string]any{}})
	if err != nil {
		return err.Error(), true
	}
	_, outcome, err := w.outcome(manifest.Template{Namespace: o.Namespace, Pod: text})
	if err == nil {
		return "", false
	}
	never = outcome.IsDenied() && outcome.Reason == policy.ReasonInvalidAnnotation
	return "a pod with it would be rejected: " + err.Error(), never
}

// decide is the webhook's own decision on a pod template. A rejection is an error that names the place. decide prints
// the warnings.
func (w *workloads) decide(f file, t manifest.Template, stderr io.Writer) (*pod.Pod, injection.Outcome, error) {
	p, outcome, err := w.outcome(t)
	for _, warning := range outcome.Warnings {
		fmt.Fprintf(stderr, "Warning: %s: %s: %s\n", f.name, nameOf(t), oneLine(warning))
	}
	if outcome.Reason == reasonParameterized {
		w.undecided++
	}
	if err != nil {
		return nil, injection.Outcome{}, fmt.Errorf("%s: %w", nameOf(t), err)
	}
	return p, outcome, nil
}

// nameOf names a template by its object, and by its path unless the kind implies it.
func nameOf(t manifest.Template) string {
	name := fmt.Sprintf("line %d: %s %q", t.Line, t.Kind, t.Name)
	if t.ByShape {
		name += ": " + t.Path.String()
	}
	return name
}

func (w *workloads) namespaceOf(t manifest.Template) string { return cmp.Or(t.Namespace, w.namespace) }

func (w *workloads) outcome(t manifest.Template) (*pod.Pod, injection.Outcome, error) {
	p, err := pod.Decode(t.Pod)
	if err != nil {
		return nil, injection.Outcome{}, err
	}
	target := injection.Target{Namespace: w.namespaceOf(t), Template: t.Path}
	if err := source.Locate(context.Background(), w.objects, p, &target); err != nil {
		return nil, injection.Outcome{}, err
	}
	if isParameterized(t, p) {
		return p, injection.Outcome{Reason: reasonParameterized,
			Warnings: []string{"its annotation holds a parameter of the Template: " +
				"use this command on the output of `oc process` instead"}}, nil
	}
	outcome := w.injector.Inject(p, target, w.objects.Rules())
	if len(outcome.Sysctls) > 0 && !w.objects.IsEnrolled(target.Namespace) {
		outcome.Warnings = append(outcome.Warnings,
			fmt.Sprintf("%s: its namespace %q is in the files, without the label %s=%s, so the webhook does not act "+
				"there: the pod would start without its sysctls", admission.ReasonNamespaceNotEnabled, target.Namespace,
				v1alpha1.InjectLabel, v1alpha1.InjectEnabled))
	}
	if outcome.IsDenied() {
		return p, outcome, errors.New(strings.ReplaceAll(outcome.Message(), "\n", "\n  "))
	}
	return p, outcome, nil
}

// reasonParameterized is the outcome for a template whose annotation is not final.
const reasonParameterized = "Parameterized"

// isParameterized reports whether an annotation of a pod holds a parameter of the OpenShift Template that the pod
// template is in.
func isParameterized(t manifest.Template, p *pod.Pod) bool {
	group, _, _ := strings.Cut(t.APIVersion, "/")
	return t.Kind == "Template" && group == "template.openshift.io" &&
		slices.ContainsFunc(slices.Collect(maps.Values(p.Annotations)),
			func(value string) bool { return strings.Contains(value, "${") })
}
