package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Profile is a SysctlProfile whose text has been read.
type Profile struct {
	name        string
	assignments []sysctl.Assignment
	appliesTo   *selectors // nil: only pods that name the profile get it
	unreadable  error      // why the profile counts for nothing
}

// CompileProfile reads a profile. Its errors are all that is wrong with it. A profile with errors is returned too: a
// pod that should get it is rejected.
func CompileProfile(profile *v1alpha1.SysctlProfile) (*Profile, field.ErrorList) {
	p := &Profile{name: profile.Name}
	spec := field.NewPath("spec")
	var errs field.ErrorList
	p.assignments, errs = sysctl.Parse(profile.Spec.Sysctls, spec.Child("sysctls"))
	if profile.Spec.AppliesTo != nil {
		var invalid field.ErrorList
		p.appliesTo, invalid = compileSelectors(*profile.Spec.AppliesTo, spec.Child("appliesTo"))
		errs = append(errs, invalid...)
	}
	if len(errs) > 0 {
		p.unreadable = errs.ToAggregate()
	}
	return p, errs
}

// Profile returns what a profile sets; ok is false if there is none of the name that can be read.
func (s *Set) Profile(name string) (assignments []sysctl.Assignment, ok bool) {
	p, ok := s.profiles[name]
	if !ok || p.unreadable != nil {
		return nil, false
	}
	return slices.Clone(p.assignments), true
}

// ProfileProblem returns why a profile counts for nothing; nil if it can be read, or if there is none of the name.
func (s *Set) ProfileProblem(name string) error {
	if p, ok := s.profiles[name]; ok && p.unreadable != nil {
		return p.unreadable
	}
	return nil
}

// ProfileNames returns the names of the profiles that can be read, in order.
func (s *Set) ProfileNames() []string { return slices.Clone(s.profileNames) }

// Request is what a pod asks for, as its annotations say. A nil text is an annotation that the pod does not have.
type Request struct {
	Sysctls, Profiles         *string
	SysctlsPath, ProfilesPath *field.Path
}

// Settings reads what a pod asks for: the sysctls of its profiles in the order in which it names them, and then its
// own. Its own line wins over a profile's. Two profiles that disagree are an error, unless the pod's own line settles
// it, or both only raise the value: then the higher one meets both. AddDefaults adds the profiles that apply to the
// pod without being named.
func (s *Set) Settings(request Request) ([]Setting, field.ErrorList) {
	var errs field.ErrorList
	var own []sysctl.Assignment
	if request.Sysctls != nil {
		own, errs = sysctl.Parse(*request.Sysctls, request.SysctlsPath)
	}
	settings := make([]Setting, 0, len(own))
	for _, assignment := range own {
		settings = append(settings, Setting{Assignment: assignment, Path: request.SysctlsPath})
	}
	if request.Profiles != nil && strings.TrimSpace(*request.Profiles) != "" {
		profiles, invalid := s.namedProfiles(*request.Profiles, request.ProfilesPath)
		named, disagreements := ofProfiles(profiles, request.ProfilesPath, settings)
		if len(errs) > 0 {
			disagreements = nil // a line that could not be read may be the one that settles them
		}
		errs = append(errs, invalid...)
		for _, d := range disagreements {
			errs = append(errs, field.Forbidden(request.ProfilesPath,
				fmt.Sprintf("profiles %s; name one of them only, or settle it with a line in %s",
					d, v1alpha1.SysctlsAnnotation)))
		}
		settings = under(named, settings)
	}
	if len(errs) == 0 && len(settings) > sysctl.MaxAssignments {
		errs = append(errs, field.Forbidden(request.ProfilesPath,
			fmt.Sprintf("the pod asks for %d sysctls, its profiles' included; "+
				"at most %d are allowed", len(settings), sysctl.MaxAssignments)))
	}
	return settings, errs
}

// disagreement is that two profiles of one rank set a sysctl to different values.
type disagreement struct{ first, second Setting }

func (d disagreement) String() string {
	return fmt.Sprintf("%q and %q disagree: the one sets %s, the other %s", d.first.Profile, d.second.Profile,
		d.first.Assignment, d.second.Assignment)
}

// ofProfiles returns what profiles of one rank set, and where they disagree about a sysctl that the settings above
// them do not settle.
func ofProfiles(profiles []*Profile, path *field.Path,
	above []Setting) (settings []Setting, disagreements []disagreement) {
	for _, profile := range profiles {
		for _, assignment := range profile.assignments {
			setting := Setting{Assignment: assignment, Path: path, Profile: profile.name}
			i := indexOf(settings, assignment.Name)
			if i < 0 {
				settings = append(settings, setting)
				continue
			}
			if raised, ok := higher(settings[i], setting); ok {
				settings[i] = raised
			} else if settings[i].String() != assignment.String() && indexOf(above, assignment.Name) < 0 {
				disagreements = append(disagreements, disagreement{settings[i], setting})
			}
		}
	}
	return settings, disagreements
}

// under returns the settings of both ranks. Where both set a sysctl, the upper one wins and notes what it replaces.
func under(lower, upper []Setting) []Setting {
	merged := make([]Setting, 0, len(lower)+len(upper))
	for _, setting := range lower {
		i := indexOf(upper, setting.Name)
		if i < 0 {
			merged = append(merged, setting)
			continue
		}
		above := &upper[i]
		// A profile can apply by default and be named by the pod too; then it is not noted twice.
		isSame := func(s Source) bool { return s.Profile == setting.Profile }
		if !isSame(above.Source()) && !slices.ContainsFunc(above.Over, isSame) {
			above.Over = append(above.Over, setting.Source())
		}
	}
	return append(merged, upper...)
}

func indexOf(settings []Setting, name string) int {
	return slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
}

// MaxProfiles that a pod may name, so that the answer to a hostile text stays short.
const MaxProfiles = 16

// namedProfiles finds the profiles of a comma-separated list of names. One that is named twice counts once.
func (s *Set) namedProfiles(list string, path *field.Path) ([]*Profile, field.ErrorList) {
	names := strings.Split(list, ",")
	if len(names) > MaxProfiles {
		return nil, field.ErrorList{field.TooMany(path, len(names), MaxProfiles)}
	}
	var profiles []*Profile
	var errs field.ErrorList
	for i, name := range names {
		name = strings.TrimSpace(name)
		profile, known := s.profiles[name]
		switch {
		case name == "":
			errs = append(errs, field.Required(path,
				fmt.Sprintf("name %d of %d is empty: give the names of SysctlProfiles with one comma between them",
					i+1, len(names))))
		case !known:
			errs = append(errs, s.unknownProfile(name, path))
		case profile.unreadable != nil:
			errs = append(errs, field.Invalid(path, name,
				fmt.Sprintf("SysctlProfile %s; an administrator has to correct it", profile.problem())))
		case !slices.Contains(profiles, profile):
			profiles = append(profiles, profile)
		}
	}
	return profiles, errs
}

func (s *Set) unknownProfile(name string, path *field.Path) *field.Error {
	err := field.NotSupported(path, name, s.profileNames)
	if len(s.profileNames) == 0 {
		err.Detail = "there is no SysctlProfile at all"
	}
	return err
}

// higher returns what meets two settings of one sysctl that both only raise it, with ">=": the higher number of each
// pair. It returns false for any others.
func higher(a, b Setting) (Setting, bool) {
	first, second := strings.Fields(a.Value), strings.Fields(b.Value)
	if a.Operator != sysctl.AtLeast || b.Operator != sysctl.AtLeast || len(first) != len(second) {
		return a, false
	}
	raised := make([]string, len(first))
	for i := range first {
		m, err := strconv.ParseInt(first[i], 10, 64)
		n, otherErr := strconv.ParseInt(second[i], 10, 64)
		if err != nil || otherErr != nil {
			return a, false
		}
		raised[i] = first[i]
		if n > m {
			raised[i] = second[i]
		}
	}
	value := strings.Join(raised, " ")
	if value == b.Value && value != a.Value { // the message about it should name the profile that has this line
		a.Profile, a.Line = b.Profile, b.Line
	}
	a.Value, a.Optional = value, a.Optional && b.Optional
	return a, true
}
