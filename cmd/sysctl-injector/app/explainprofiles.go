package app

import (
	"fmt"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// ProfileValue is the value that a SysctlProfile has for a sysctl.
type ProfileValue struct {
	Profile string `json:"profile"`
	// Sets is the profile's line, as in the container.
	Sets string `json:"sets"`
	// AppliesTo says which pods get the profile by default, in namespaces with defaults. If empty, only pods that
	// name the profile get it.
	AppliesTo string `json:"appliesTo,omitempty"`
}

func profileValues(rules *policy.Set, name string) []ProfileValue {
	var values []ProfileValue
	for _, s := range rules.Setting(name) {
		values = append(values, ProfileValue{s.Profile, s.String(), s.AppliesTo})
	}
	return values
}

// profileSentences returns which profiles set a sysctl, and which value wins.
func profileSentences(values []ProfileValue) []string {
	var lines []string
	byDefault := false
	for _, v := range values {
		line := fmt.Sprintf("SysctlProfile %s has %s for pods that name it", v.Profile, v.Sets)
		if v.AppliesTo != "" {
			byDefault = true
			line += ", and in namespaces with defaults for " + v.AppliesTo
		}
		lines = append(lines, line+".")
	}
	if byDefault {
		lines = append(lines, "The pod's own line wins over profiles that it names, "+
			"and those win over profiles that apply by default.")
	}
	return lines
}
