// Package mutating has the policies that inject without the server, as plain YAML. Package webhook/mutating builds the
// objects from it.
package mutating

import "embed"

// Files has the policies, their bindings, and their common variables.
//
//go:embed *.yaml policies/*.yaml
var Files embed.FS
