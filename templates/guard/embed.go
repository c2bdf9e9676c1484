// Package guard holds, as plain YAML, the policies that hold a namespace to a Pod Security Standard while it admits
// the injected container. Package webhook/guard makes the objects from it.
package guard

import "embed"

// Files holds the policies, their bindings, and the variables that the policies share.
//
//go:embed *.yaml checks/*.yaml policies/*.yaml
var Files embed.FS
