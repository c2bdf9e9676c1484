package injection

import (
	"encoding/json"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
)

// Status is the value of the annotation sysctl-injector.dev/status, in compact JSON: for people and tools to read, never an
// input to a decision.
type Status struct {
	Version string          `json:"version"` // of the sysctl-injector that decided
	Kernel  v1alpha1.Kernel `json:"kernel"`  // on which the sysctls act
	Form    string          `json:"form"`    // of the init container that sets them
	Sysctls []string        `json:"sysctls"` // name=value, as applied
}

// encode is what encoding/json makes of it.
func (s Status) encode() string {
	text := make([]byte, 0, 256)
	text = jsontext.AppendString(append(text, `{"version":`...), s.Version)
	text = jsontext.AppendString(append(text, `,"kernel":`...), string(s.Kernel))
	text = jsontext.AppendString(append(text, `,"form":`...), s.Form)
	text = jsontext.AppendStrings(append(text, `,"sysctls":`...), s.Sysctls)
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
