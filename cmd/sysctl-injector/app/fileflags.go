package app

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// fileOptions name manifests with the flags of kubectl, and configure the search for pod templates.
type fileOptions struct {
	files         []string
	kustomization string
	templatePaths []string
	strict        bool
}

func (o *fileOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVarP(&o.files, "filename", "f", nil,
		"`file`, directory, pattern, URL, or - for standard input (comma-separated or repeated)")
	flags.StringVarP(&o.kustomization, "kustomize", "k", "",
		"`directory` with a kustomization to build, instead of -f")
	flags.StringArrayVar(&o.templatePaths, "template-path", nil,
		"where a custom resource has its pod template, as KIND.GROUP=PATH, such as "+
			"Rollout.argoproj.io=spec.template (repeatable)")
	if err := cmd.MarkFlagFilename("filename", "yaml", "yml", "json"); err != nil {
		panic(err) // only when the flag does not exist
	}
	if err := cmd.MarkFlagDirname("kustomize"); err != nil {
		panic(err)
	}
}

// addStrictFlag adds --strict. rejected says what it rejects.
func (o *fileOptions) addStrictFlag(cmd *cobra.Command, rejected string) {
	cmd.Flags().BoolVar(&o.strict, "strict", false, "fail on "+rejected+", instead of skipping them")
}

// areNamed reports whether a flag names manifests.
func (o *fileOptions) areNamed() bool { return len(o.files) > 0 || o.kustomization != "" }

// fromFiles reports whether each manifest is in a writable file.
func (o *fileOptions) fromFiles(arguments []string) bool {
	return o.kustomization == "" && !slices.ContainsFunc(slices.Concat(o.files, arguments),
		func(name string) bool { return name == "-" || isAddress(name) })
}

// readManifests reads the manifests that the flags and the arguments name.
func (o *fileOptions) readManifests(cmd *cobra.Command, arguments []string) ([]file, error) {
	switch {
	case !o.areNamed() && len(arguments) == 0:
		return nil, usagef("name the manifests: -f FILE, -f DIRECTORY, or -f - for standard input")
	case o.kustomization != "" && len(o.files)+len(arguments) > 0:
		return nil, usagef("-k builds all manifests: leave out -f, -k or the arguments")
	case o.kustomization != "":
		return build(o.kustomization)
	}
	files, err := readFiles(cmd.Context(), "-f", o.files, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	others, err := readFiles(cmd.Context(), "", arguments, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	files = withoutDuplicates(append(files, others...))
	if !slices.ContainsFunc(files, func(f file) bool { return !manifest.IsEmpty(f.content) }) {
		return nil, errors.New("the input is empty: there is no Kubernetes object in it")
	}
	return files, nil
}

// build builds a kustomization.
func build(directory string) ([]file, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return nil, fmt.Errorf("-k: build the kustomization in %s: %w", oneLine(directory), err)
	}
	content, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("-k: build the kustomization in %s: %w", oneLine(directory), err)
	}
	return []file{{name: oneLine(directory), content: content}}, nil
}

// finder finds the pod templates in objects.
func (o *fileOptions) finder() (*workload.Finder, error) {
	finder, err := workload.NewFinder(o.templatePaths)
	if err != nil {
		return nil, usagef("--template-path: %w", err)
	}
	return finder, nil
}
