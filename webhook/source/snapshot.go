package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Snapshot is a Source that is read once. It includes the built-in profiles.
type Snapshot struct {
	// ownPolicies is set if the caller names policies, instead of using the built-in one.
	ownPolicies    bool
	policies       []*policy.Policy
	profiles       []*policy.Profile
	runtimeClasses map[string]*nodev1.RuntimeClass
	namespaces     map[string]map[string]string // labels by name
	set            *policy.Set                  // the compiled policies and profiles
	// sysctlPolicies and sysctlProfiles are the sources of the compiled ones.
	sysctlPolicies []*v1alpha1.SysctlPolicy
	sysctlProfiles []*v1alpha1.SysctlProfile
}

// NewSnapshot returns a Snapshot with the built-in profiles and, unless ownPolicies is set, the built-in policy.
func NewSnapshot(ownPolicies bool) (*Snapshot, error) {
	s := &Snapshot{ownPolicies: ownPolicies, runtimeClasses: map[string]*nodev1.RuntimeClass{},
		namespaces: map[string]map[string]string{}}
	builtIn := []fs.FS{templates.Profiles}
	if !ownPolicies {
		builtIn = append(builtIn, templates.Policies)
	}
	for _, tree := range builtIn {
		if err := s.addTree(tree); err != nil {
			return nil, fmt.Errorf("built-in objects: %w", err)
		}
	}
	return s, nil
}

func (s *Snapshot) addTree(tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		return s.Add(content)
	})
}

// Add adds the policies, profiles, RuntimeClasses and namespaces of a manifest. It returns an error if there are
// none, and ignores other kinds.
func (s *Snapshot) Add(content []byte) error {
	found, err := manifest.Objects(content)
	if err != nil {
		return err
	}
	var errs []error
	used := 0
	for _, object := range found {
		isUsed, err := s.addObject(object)
		if err != nil {
			errs = append(errs, inObject(object, err))
		}
		if isUsed {
			used++
		}
	}
	s.set = policy.NewSet(s.policies, s.profiles)
	if len(errs) == 0 && used == 0 {
		return errors.New("holds none of SysctlPolicy, SysctlProfile, RuntimeClass, Namespace")
	}
	return errors.Join(errs...)
}

// inObject adds the object of a manifest to an error.
func inObject(object manifest.Object, err error) error {
	return fmt.Errorf("line %d: %s %q: %w", object.Line, object.Kind, object.Name, err)
}

// addObject reports whether an object is of a kind that decisions use.
func (s *Snapshot) addObject(object manifest.Object) (isUsed bool, err error) {
	switch object.APIVersion + " " + object.Kind {
	case v1alpha1.GroupVersion.String() + " SysctlPolicy":
		var read v1alpha1.SysctlPolicy
		if err := yaml.UnmarshalStrict(object.JSON, &read); err != nil {
			return true, err
		}
		compiled, errs := policy.CompilePolicy(&read)
		if len(errs) > 0 {
			return true, errs.ToAggregate()
		}
		s.policies, s.sysctlPolicies = append(s.policies, compiled), append(s.sysctlPolicies, &read)
		return true, nil
	case v1alpha1.GroupVersion.String() + " SysctlProfile":
		var read v1alpha1.SysctlProfile
		if err := yaml.UnmarshalStrict(object.JSON, &read); err != nil {
			return true, err
		}
		compiled, errs := policy.CompileProfile(&read)
		s.profiles, s.sysctlProfiles = append(s.profiles, compiled), append(s.sysctlProfiles, &read)
		return true, errs.ToAggregate()
	case nodev1.SchemeGroupVersion.String() + " RuntimeClass":
		read := &nodev1.RuntimeClass{}
		s.runtimeClasses[object.Name] = read
		return true, yaml.Unmarshal(object.JSON, read)
	case corev1.SchemeGroupVersion.String() + " Namespace":
		var read corev1.Namespace
		err := yaml.Unmarshal(object.JSON, &read)
		s.namespaces[object.Name] = read.Labels
		return true, err
	}
	return false, nil
}

// AddReviewed adds the objects of a manifest whose workloads are under review, and returns the ignored objects. A
// manifest must not decide on its own review. So AddReviewed ignores each SysctlPolicy, and with ownPolicies also the
// namespaces and RuntimeClasses that policies select by. Objects that were added before have precedence.
func (s *Snapshot) AddReviewed(found []manifest.Object) (ignored []manifest.Object, err error) {
	reviewed := &Snapshot{runtimeClasses: map[string]*nodev1.RuntimeClass{}, namespaces: map[string]map[string]string{}}
	var errs []error
	for _, object := range found {
		if _, err := reviewed.addObject(object); err != nil {
			errs = append(errs, inObject(object, err))
		}
		if s.ignores(object) {
			ignored = append(ignored, object)
		}
	}
	// Of two profiles with one name, the later one counts: the caller named its file.
	s.profiles = append(reviewed.profiles, s.profiles...)
	s.set = policy.NewSet(s.policies, s.profiles)
	if !s.ownPolicies {
		addMissing(s.runtimeClasses, reviewed.runtimeClasses)
		addMissing(s.namespaces, reviewed.namespaces)
	}
	return ignored, errors.Join(errs...)
}

// ignores reports whether AddReviewed ignores an object of a kind that decisions use.
func (s *Snapshot) ignores(object manifest.Object) bool {
	switch object.APIVersion + " " + object.Kind {
	case v1alpha1.GroupVersion.String() + " SysctlPolicy":
		return true
	case nodev1.SchemeGroupVersion.String() + " RuntimeClass":
		return s.ownPolicies && s.runtimeClasses[object.Name] == nil
	case corev1.SchemeGroupVersion.String() + " Namespace":
		_, known := s.namespaces[object.Name]
		return s.ownPolicies && !known
	}
	return false
}

func addMissing[V any](to, from map[string]V) {
	for name, value := range from {
		if _, known := to[name]; !known {
			to[name] = value
		}
	}
}

// Rules returns the policies and profiles.
func (s *Snapshot) Rules() *policy.Set { return s.set }

// Objects returns the policies and profiles before compilation. Of two with one name, the later one counts.
func (s *Snapshot) Objects() ([]*v1alpha1.SysctlPolicy, []*v1alpha1.SysctlProfile) {
	return s.sysctlPolicies, s.sysctlProfiles
}

// NamespaceLabels returns a namespace's labels. A namespace that the Snapshot does not have counts as enrolled.
func (s *Snapshot) NamespaceLabels(_ context.Context, name string) (map[string]string, error) {
	labels := map[string]string{corev1.LabelMetadataName: name, v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	for key, value := range s.namespaces[name] {
		labels[key] = value
	}
	return labels, nil
}

// IsEnrolled reports whether the webhook acts in a namespace, by the labels in the Snapshot.
func (s *Snapshot) IsEnrolled(namespace string) bool {
	labels, held := s.namespaces[namespace]
	return !held || labels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled
}

// RuntimeClass returns a RuntimeClass, or nil.
func (s *Snapshot) RuntimeClass(_ context.Context, name string) (*nodev1.RuntimeClass, error) {
	return s.runtimeClasses[name], nil
}
