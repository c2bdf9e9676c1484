package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// conversion converts manifests file by file, and collects the findings.
type conversion struct {
	*workloads
	guests sets.Set[string] // RuntimeClass handlers whose pods have their own kernel
	native bool
	minor  uint // of the cluster's API servers
	warn   io.Writer
	items  []item
	naming []naming
	// templates are the Helm templates that do not mention sysctls themselves.
	templates []string
}

// add adds the objects of a file to those for decisions, since the objects of other files depend on them.
func (c *conversion) add(f file) error {
	objects, err := manifest.Objects(f.content)
	if err != nil {
		return nil //nolint:nilerr // file reports it
	}
	warnings, err := addReviewed(c.objects, objects)
	for _, warning := range warnings {
		fmt.Fprintf(c.warn, "Warning: %s: %s\n", f.name, warning)
	}
	for _, o := range objects {
		if bytes.Contains(o.JSON, []byte(`"containerName"`)) {
			c.naming = append(c.naming, naming{f.name, o})
		}
	}
	return err
}

// file returns the content of a file, converted. A file that cannot be read stays as it is.
func (c *conversion) file(f file) ([]byte, error) {
	objects, err := manifest.Objects(f.content)
	if err != nil {
		c.unreadable(f, err)
		return f.content, nil
	}
	var changed []bool // for each template, in the order of the file
	find := func(o manifest.Object) []workload.Location {
		return slices.DeleteFunc(c.find(o), func(p workload.Location) bool { return p.ByShape })
	}
	content, err := manifest.Rewrite(f.content, find, func(t manifest.Template) ([]jsonpatch.Operation, error) {
		operations := c.template(f, t)
		changed = append(changed, len(operations) > 0)
		return operations, nil
	})
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		var skip [][]string
		for _, place := range find(o) {
			skip = append(skip, place.Path)
		}
		c.elsewhere(f, o, convert.Elsewhere(o.JSON, skip, c.injector.KubeletsAllow))
		c.keys(f, o)
	}
	c.otherDocuments(f)
	return content, c.check(content, find, changed)
}

// template inspects a pod template, and returns the operations that convert it. It returns none if the webhook would
// then reject the pods.
func (c *conversion) template(f file, t manifest.Template) []jsonpatch.Operation {
	one := item{file: f.name, line: t.Line, object: fmt.Sprintf("%s %q", t.Kind, t.Name), workload: t.Name}
	result, err := convert.Inspect(t.Pod, c.kernelOf(t))
	if err != nil {
		one.what, one.problems = "its pod template", []convert.Problem{{Reason: err.Error()}}
		c.items = append(c.items, one)
		return nil
	}
	if c.native {
		result.MoveNative(c.kernelOf(t), c.injector.KubeletsAllow, c.isSafe)
	} else {
		result.FindNative(c.kernelOf(t), c.injector.KubeletsAllow)
	}
	operations := result.Operations()
	rejected := ""
	if len(operations) > 0 {
		rejected = c.rejection(t, result)
	}
	for _, found := range result.Findings {
		container := one
		container.what = fmt.Sprintf("%s[%d] %q", found.List, found.Index, found.Name)
		if found.List == convert.InitContainers {
			container.container = found.Name
		}
		container.of(found, func(line int) int {
			return t.LineIn(slices.Concat(pathOf(found), found.Script), line)
		})
		container.line = t.LineIn(pathOf(found), 0)
		if rejected != "" && found.Converts() {
			container.problems = []convert.Problem{{Reason: rejected}}
		}
		if found.Converts() && rejected == "" {
			container.warnings = result.Warnings
			container.sets, container.native = split(found.Assignments, result.Native)
		}
		c.items = append(c.items, container)
	}
	if rejected != "" {
		return nil
	}
	return operations
}

// pathOf returns the path from a pod template to the field of a finding.
func pathOf(f convert.Finding) []string {
	return slices.Concat([]string{"spec"}, strings.Split(f.List, "."), []string{fmt.Sprint(f.Index)})
}

// split separates the assignments that become native sysctls from the others.
func split(all, native []convert.Assignment) (lines, others []convert.Assignment) {
	for _, a := range all {
		if slices.Contains(native, a) {
			others = append(others, a)
		} else {
			lines = append(lines, a)
		}
	}
	return lines, others
}

// isSafe reports whether every kubelet that the API servers admit counts a sysctl as safe.
func (c *conversion) isSafe(name string) bool { return form.IsSafe(c.minor, name) }

// kernelOf returns the kernel that the pods of a template run on, if the files define the RuntimeClass.
func (c *conversion) kernelOf(t manifest.Template) convert.Kernel {
	p, err := pod.Decode(t.Pod)
	if err != nil {
		return convert.Kernel{}
	}
	class, err := c.objects.RuntimeClass(context.Background(), p.RuntimeClass)
	if err != nil || class == nil {
		return convert.Kernel{UnknownClass: p.RuntimeClass}
	}
	return convert.Kernel{Guest: policy.KernelOf(class, c.guests) == v1alpha1.GuestKernel}
}

// rejection is the webhook's own decision on a converted template; "" if it would admit its pods.
func (c *conversion) rejection(t manifest.Template, result *convert.Result) string {
	if namespace := c.namespaceOf(t); !c.objects.IsEnrolled(namespace) {
		return fmt.Sprintf("its namespace %q is in the files, without the label %s=%s: the webhook does not act "+
			"there, and the pod would start without its sysctls",
			namespace, v1alpha1.InjectLabel, v1alpha1.InjectEnabled)
	}
	_, before, _ := c.outcome(t) // convert must not turn an admitted pod into a rejected one
	var err error
	if t.Pod, err = result.Apply(t.Pod); err != nil {
		return err.Error()
	}
	_, after, err := c.outcome(t)
	if err != nil {
		return "the webhook would reject the pod: " + err.Error()
	}
	return loosened(before, after)
}

// loosened reports a profile's value that the pod's own line would override, although the container only raises the
// value, or skips it where the kernel does not have it. It returns "" if there is none.
func loosened(before, after injection.Outcome) string {
	for _, own := range after.Sysctls {
		for _, profile := range before.Sysctls {
			isLess := own.Operator == sysctl.AtLeast && own.Assignment != profile.Assignment ||
				own.Optional && !profile.Optional
			if own.Name == profile.Name && isLess {
				return fmt.Sprintf("a profile sets %q for these pods, and a line %q would take its place: "+
					"remove one of the two", profile.Assignment, own.Assignment)
			}
		}
	}
	return ""
}

// check reads the result back: the webhook must admit it, and a second conversion must change nothing.
func (c *conversion) check(content []byte, find manifest.Find, changed []bool) error {
	n := 0
	_, err := manifest.Rewrite(content, find, func(t manifest.Template) ([]jsonpatch.Operation, error) {
		n++
		if n > len(changed) || !changed[n-1] {
			return nil, nil
		}
		result, err := convert.Inspect(t.Pod, c.kernelOf(t))
		if err == nil && result.Changes() {
			err = errors.New("the converted template would be converted again")
		}
		if err == nil {
			_, _, err = c.outcome(t)
		}
		if err != nil {
			err = fmt.Errorf("%s: read the result back: %w", nameOf(t), err)
		}
		return nil, err
	})
	if err == nil && n != len(changed) {
		err = fmt.Errorf("read the result back: it has %d pod templates instead of %d", n, len(changed))
	}
	return err
}
