package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// objectOptions name the files that stand in for a cluster's objects.
type objectOptions struct {
	policies, profiles, runtimeClasses []string
}

func (o *objectOptions) addFlags(cmd *cobra.Command) {
	o.addPolicyFlag(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&o.profiles, "profile", nil, "file or directory with SysctlProfile objects, besides the built-in ones (repeatable)")
	flags.StringArrayVar(&o.runtimeClasses, "runtime-class", nil, "file or directory with RuntimeClass objects (repeatable)")
}

func (o *objectOptions) addPolicyFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.policies, "policy", nil, "file or directory with SysctlPolicy objects, instead of the built-in default policy (repeatable)")
}

// objects stand in for a cluster: they are read once, from files.
type objects struct {
	// ownPolicies is set when the person names the policies, and so checks manifests against them.
	ownPolicies    bool
	policies       []*policy.Policy
	profiles       []*policy.Profile
	runtimeClasses map[string]*nodev1.RuntimeClass
	namespaces     map[string]map[string]string // their labels, by name
}

func (o objectOptions) load(in io.Reader) (*objects, error) {
	loaded := &objects{ownPolicies: len(o.policies) > 0, runtimeClasses: map[string]*nodev1.RuntimeClass{}, namespaces: map[string]map[string]string{}}
	builtIn := []fs.FS{templates.Profiles}
	if len(o.policies) == 0 {
		builtIn = append(builtIn, templates.Policies)
	}
	if err := loaded.addBuiltIn(builtIn...); err != nil {
		return nil, err
	}
	files, err := readFiles(append(append(append([]string{}, o.policies...), o.profiles...), o.runtimeClasses...), in)
	if err != nil {
		return nil, err
	}
	return loaded, eachFile(files, func(f file) error {
		known, err := loaded.add(f.content)
		if err == nil && known == 0 {
			err = errors.New("holds none of SysctlPolicy, SysctlProfile, RuntimeClass, Namespace")
		}
		return err
	})
}

func (o *objects) addBuiltIn(trees ...fs.FS) error {
	for _, tree := range trees {
		err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(tree, path)
			if err != nil {
				return err
			}
			_, err = o.add(content)
			return err
		})
		if err != nil {
			return fmt.Errorf("built-in objects: %w", err)
		}
	}
	return nil
}

// add takes up the objects of a manifest that say what may be set where, and tells how many there were. All others are
// passed over.
func (o *objects) add(content []byte) (known int, err error) {
	found, err := manifest.Objects(content)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, object := range found {
		isKnown, err := o.addObject(object)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %s %q: %w", object.Line, object.Kind, object.Name, err))
		}
		if isKnown {
			known++
		}
	}
	return known, errors.Join(errs...)
}

func (o *objects) addObject(object manifest.Object) (known bool, err error) {
	switch object.APIVersion + " " + object.Kind {
	case v1alpha1.GroupVersion.String() + " SysctlPolicy":
		var read v1alpha1.SysctlPolicy
		if err := yaml.UnmarshalStrict(object.JSON, &read); err != nil {
			return true, err
		}
		compiled, errs := policy.CompilePolicy(&read)
		o.policies = append(o.policies, compiled)
		return true, errs.ToAggregate()
	case v1alpha1.GroupVersion.String() + " SysctlProfile":
		var read v1alpha1.SysctlProfile
		if err := yaml.UnmarshalStrict(object.JSON, &read); err != nil {
			return true, err
		}
		compiled, errs := policy.CompileProfile(&read)
		o.profiles = append(o.profiles, compiled)
		return true, errs.ToAggregate()
	case nodev1.SchemeGroupVersion.String() + " RuntimeClass":
		read := &nodev1.RuntimeClass{}
		o.runtimeClasses[object.Name] = read
		return true, yaml.Unmarshal(object.JSON, read)
	case corev1.SchemeGroupVersion.String() + " Namespace":
		var read corev1.Namespace
		err := yaml.Unmarshal(object.JSON, &read)
		o.namespaces[object.Name] = read.Labels
		return true, err
	}
	return false, nil
}

// addReviewed adds the objects of a manifest whose workloads are under review. They must not decide on their own review, so a
// SysctlPolicy among them never counts, and where the person names policies, neither do the namespaces and RuntimeClasses that the
// policies select by. The objects that the person named keep their names. Each object that does not count leads to a warning.
func (o *objects) addReviewed(found []manifest.Object) (warnings []string, err error) {
	reviewed := &objects{runtimeClasses: map[string]*nodev1.RuntimeClass{}, namespaces: map[string]map[string]string{}}
	var errs []error
	for _, object := range found {
		if _, err := reviewed.addObject(object); err != nil {
			errs = append(errs, fmt.Errorf("line %d: %s %q: %w", object.Line, object.Kind, object.Name, err))
		}
		if flag := o.flagFor(object); flag != "" {
			warnings = append(warnings, fmt.Sprintf("line %d: %s %q does not count: it is among the manifests under review; name its file with %s if it should count",
				object.Line, object.Kind, object.Name, flag))
		}
	}
	// Of two profiles with one name, the later one counts: that is the one which the person named.
	o.profiles = append(reviewed.profiles, o.profiles...)
	if !o.ownPolicies {
		addMissing(o.runtimeClasses, reviewed.runtimeClasses)
		addMissing(o.namespaces, reviewed.namespaces)
	}
	return warnings, errors.Join(errs...)
}

// flagFor names the flag by which an object under review would count; "" where it counts, or is of another kind.
func (o *objects) flagFor(object manifest.Object) string {
	switch object.APIVersion + " " + object.Kind {
	case v1alpha1.GroupVersion.String() + " SysctlPolicy":
		return "--policy"
	case nodev1.SchemeGroupVersion.String() + " RuntimeClass":
		if o.ownPolicies && o.runtimeClasses[object.Name] == nil {
			return "--runtime-class"
		}
	case corev1.SchemeGroupVersion.String() + " Namespace":
		if _, known := o.namespaces[object.Name]; o.ownPolicies && !known {
			return "--policy"
		}
	}
	return ""
}

func addMissing[V any](to, from map[string]V) {
	for name, value := range from {
		if _, known := to[name]; !known {
			to[name] = value
		}
	}
}

// rules returns the policies and profiles as the decision uses them.
func (o *objects) rules() *policy.Set { return policy.NewSet(o.policies, o.profiles) }

// NamespaceLabels returns a namespace's labels. One that no file holds counts as opted in: without a cluster there is nobody
// else to ask, and the person who runs the command decides.
func (o *objects) NamespaceLabels(_ context.Context, name string) (map[string]string, error) {
	labels := map[string]string{corev1.LabelMetadataName: name, v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	for key, value := range o.namespaces[name] {
		labels[key] = value
	}
	return labels, nil
}

// isOptedIn tells whether the webhook acts in a namespace, as far as the files say.
func (o *objects) isOptedIn(namespace string) bool {
	labels, held := o.namespaces[namespace]
	return !held || labels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled
}

// RuntimeClass returns the class that a file holds, or nil.
func (o *objects) RuntimeClass(_ context.Context, name string) (*nodev1.RuntimeClass, error) {
	return o.runtimeClasses[name], nil
}
