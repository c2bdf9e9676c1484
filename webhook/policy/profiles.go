package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Profile is a SysctlProfile whose text has been read.
type Profile struct {
	name        string
	assignments []sysctl.Assignment
}

// CompileProfile reads a profile's text.
func CompileProfile(profile *v1alpha1.SysctlProfile) (*Profile, field.ErrorList) {
	assignments, errs := sysctl.Parse(profile.Spec.Sysctls, field.NewPath("spec", "sysctls"))
	if len(errs) > 0 {
		return nil, errs
	}
	return &Profile{name: profile.Name, assignments: assignments}, nil
}

// Request is what a pod asks for, as its annotations say. A nil text is an annotation that the pod does not have.
type Request struct {
	Sysctls, Profiles         *string
	SysctlsPath, ProfilesPath *field.Path
}

// Settings reads what a pod asks for: the sysctls of its profiles in the order in which it names them, and then its own.
// Its own line wins over a profile's. Two profiles that disagree are an error, unless the pod's own line settles it.
func (s *Set) Settings(request Request) ([]Setting, field.ErrorList) {
	var errs field.ErrorList
	var own []sysctl.Assignment
	if request.Sysctls != nil {
		own, errs = sysctl.Parse(*request.Sysctls, request.SysctlsPath)
	}
	settings := make([]Setting, 0, len(own))
	if request.Profiles != nil {
		profiles, invalid := s.namedProfiles(*request.Profiles, request.ProfilesPath)
		fromProfiles, disagreements := merge(profiles, request.ProfilesPath, own)
		if len(errs) > 0 {
			disagreements = nil // a line that could not be read may be the one that settles them
		}
		errs = slices.Concat(errs, invalid, disagreements)
		settings = append(settings, fromProfiles...)
	}
	for _, assignment := range own {
		settings = append(settings, Setting{Assignment: assignment, Path: request.SysctlsPath})
	}
	if len(errs) == 0 && len(settings) > sysctl.MaxAssignments {
		errs = append(errs, field.Forbidden(request.ProfilesPath, fmt.Sprintf("the pod asks for %d sysctls, its profiles' included; "+
			"at most %d are allowed", len(settings), sysctl.MaxAssignments)))
	}
	return settings, errs
}

// merge returns what profiles set and the pod's own lines do not.
func merge(profiles []*Profile, path *field.Path, own []sysctl.Assignment) ([]Setting, field.ErrorList) {
	var settings []Setting
	var errs field.ErrorList
	for _, profile := range profiles {
		for _, assignment := range profile.assignments {
			if slices.ContainsFunc(own, func(o sysctl.Assignment) bool { return o.Name == assignment.Name }) {
				continue
			}
			i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == assignment.Name })
			if i < 0 {
				settings = append(settings, Setting{Assignment: assignment, Path: path, Profile: profile.name})
				continue
			}
			if first := settings[i]; first.String() != assignment.String() {
				errs = append(errs, field.Forbidden(path, fmt.Sprintf("profiles %q and %q disagree: the one sets %s, the other %s; "+
					"name one of them only, or settle it with a line in %s",
					first.Profile, profile.name, first.Assignment, assignment, v1alpha1.SysctlsAnnotation)))
			}
		}
	}
	return settings, errs
}

// maxProfiles that a pod may name. No more could add a sysctl each, and the answer to a hostile text stays short.
const maxProfiles = sysctl.MaxAssignments

// namedProfiles finds the profiles of a comma-separated list of names. One that is named twice counts once.
func (s *Set) namedProfiles(list string, path *field.Path) ([]*Profile, field.ErrorList) {
	names := strings.Split(list, ",")
	if len(names) > maxProfiles {
		return nil, field.ErrorList{field.TooMany(path, len(names), maxProfiles)}
	}
	var profiles []*Profile
	var errs field.ErrorList
	for i, name := range names {
		name = strings.TrimSpace(name)
		profile, known := s.profiles[name]
		switch {
		case name == "":
			errs = append(errs, field.Required(path, fmt.Sprintf("name %d of %d is empty: give the names of SysctlProfiles with one comma between them",
				i+1, len(names))))
		case !known:
			errs = append(errs, s.unknownProfile(name, path))
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
