// Package mutating holds, as plain YAML, the policies that inject without the server. Package webhook/mutating makes
// the objects from it.
package mutating

import "embed"

// Files holds the policies, their bindings, and the variables that the policies share.
//
//go:embed *.yaml policies/*.yaml
var Files embed.FS
