package app

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
)

// objectOptions name files that replace a cluster's objects.
type objectOptions struct {
	policies, profiles, runtimeClasses []string
}

func (o *objectOptions) addFlags(cmd *cobra.Command) {
	o.addPolicyFlag(cmd)
	o.addProfileFlag(cmd)
	cmd.Flags().StringSliceVar(&o.runtimeClasses, "runtime-class", nil,
		"`file`, directory or URL with RuntimeClass objects (repeatable)")
}

func (o *objectOptions) addPolicyFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.policies, "policy", nil,
		"`file`, directory or URL with SysctlPolicy objects, instead of the built-in default policy (repeatable)")
}

func (o *objectOptions) addProfileFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.profiles, "profile", nil,
		"`file`, directory or URL with SysctlProfile objects, besides the built-in ones (repeatable)")
}

// load reads the files.
func (o objectOptions) load(ctx context.Context, in io.Reader) (*source.Snapshot, error) {
	loaded, err := source.NewSnapshot(len(o.policies) > 0)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, named := range []struct {
		flag  string
		files []string
	}{{"--policy", o.policies}, {"--profile", o.profiles}, {"--runtime-class", o.runtimeClasses}} {
		read, err := readFiles(ctx, named.flag, named.files, in)
		if err != nil {
			return nil, err
		}
		files = append(files, read...)
	}
	return loaded, eachFile(files, func(f file) error { return loaded.Add(f.content) })
}

// addReviewed adds the objects of a manifest under review, and returns a warning for each ignored object.
func addReviewed(to *source.Snapshot, found []manifest.Object) (warnings []string, err error) {
	ignored, err := to.AddReviewed(found)
	for _, object := range ignored {
		flag := "--policy"
		if object.Kind == "RuntimeClass" {
			flag = "--runtime-class"
		}
		warnings = append(warnings, fmt.Sprintf(
			"line %d: %s %q is ignored, because it is among the manifests under review; "+
				"to use it, name its file with %s", object.Line, object.Kind, object.Name, flag))
	}
	return warnings, err
}
