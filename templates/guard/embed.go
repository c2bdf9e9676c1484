// Package guard has the policies that enforce a Pod Security Standard and admit the injected container, as plain YAML.
// Package webhook/guard builds the objects from it.
package guard

import "embed"

// Files has the policies, their bindings, and their common variables.
//
//go:embed *.yaml checks/*.yaml policies/*.yaml
var Files embed.FS
