package injection

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Status is the value of the annotation sysctl-injector.dev/status, in compact JSON: for people and tools to read,
// never an input to a decision.
type Status struct {
	Version string          `json:"version"`        // of the sysctl-injector that decided
	Kernel  v1alpha1.Kernel `json:"kernel"`         // on which the sysctls act
	Form    string          `json:"form,omitempty"` // of the init container; none where the pod needs no container
	Sysctls []string        `json:"sysctls"`        // name=value, as applied

	// Defaults are the profiles that applied to the pod by default. The guard looks for them here: see its policy
	// "defaults".
	Defaults []string `json:"defaults,omitempty"`
	// From says where the value of each sysctl comes from, where a profile has one for it too: "default base",
	// "profile web over default base", "pod over profile web". Without an entry, it is the pod's own line.
	From map[string]string `json:"from,omitempty"`
	// Native are those of Sysctls that spec.securityContext.sysctls sets. The guard looks for them here, and they are
	// the last.
	Native []string `json:"native,omitempty"`
}

// sourcesOf returns what Status.From says of settings.
func sourcesOf(settings []policy.Setting) map[string]string {
	var from map[string]string
	for _, s := range settings {
		if s.Profile == "" && len(s.Over) == 0 {
			continue
		}
		text := s.Source().String()
		for _, replaced := range s.Over {
			text += " over " + replaced.String()
		}
		if from == nil {
			from = make(map[string]string, len(settings))
		}
		from[s.Name] = text
	}
	return from
}

// encode is what encoding/json makes of it.
func (s Status) encode() string {
	text := make([]byte, 0, 256)
	text = jsontext.AppendString(append(text, `{"version":`...), s.Version)
	text = jsontext.AppendString(append(text, `,"kernel":`...), string(s.Kernel))
	if s.Form != "" {
		text = jsontext.AppendString(append(text, `,"form":`...), s.Form)
	}
	text = jsontext.AppendStrings(append(text, `,"sysctls":`...), s.Sysctls)
	if len(s.Defaults) > 0 {
		text = jsontext.AppendStrings(append(text, `,"defaults":`...), s.Defaults)
	}
	for i, name := range slices.Sorted(maps.Keys(s.From)) {
		if i == 0 {
			text = append(text, `,"from":{`...)
		} else {
			text = append(text, ',')
		}
		text = jsontext.AppendString(text, name)
		text = jsontext.AppendString(append(text, ':'), s.From[name])
	}
	if len(s.From) > 0 {
		text = append(text, '}')
	}
	if len(s.Native) > 0 {
		text = jsontext.AppendStrings(append(text, `,"native":`...), s.Native)
	}
	return string(append(text, '}'))
}

// mustMarshal is for types of ours and the API's, which always encode.
func mustMarshal(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return encoded
}
