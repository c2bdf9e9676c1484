package app

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

// helmAction matches a Helm action. A file that is not YAML is a template if it has one. Without one, it is an error.
var helmAction = regexp.MustCompile(`{{-?\s*(if|else|end|with|range|define|include|template|toYaml|/\*)\b|` +
	`{{[^}]*\.(Values|Release|Chart|Capabilities|Files)\b`)

const renderFirst = "looks like a Helm template; render it first: helm template ... | sysctl-injector inject -f -"

// onlyObjects returns the files with a Kubernetes object. Directories of manifests also have Helm templates, values,
// JSON patches and kustomizations: onlyObjects skips such a file with a line on warn, or returns an error if strict
// is set. A file with both objects and other documents stays whole. If no file has an object, it returns an error.
func onlyObjects(files []file, strict bool, warn io.Writer) ([]file, error) {
	var kept []file
	all := 0 // objects
	err := eachFile(files, func(f file) error {
		objects, others, err := manifest.Documents(f.content)
		switch isTemplate := err != nil && helmAction.Match(f.content); {
		case isTemplate && !strict:
			fmt.Fprintf(warn, "Skipped: %s: %s\n", f.name, renderFirst)
			return nil
		case isTemplate:
			return fmt.Errorf("%w; it %s", err, renderFirst)
		case err != nil:
			return err
		}
		all += objects
		var errs []error
		for _, other := range others {
			message := fmt.Sprintf("line %d: not a Kubernetes object: %s", other.Line, other.What)
			if strict {
				errs = append(errs, errors.New(message))
			} else {
				fmt.Fprintf(warn, "Skipped: %s: %s\n", f.name, message)
			}
		}
		if objects > 0 || len(others) == 0 {
			kept = append(kept, f)
		}
		return errors.Join(errs...)
	})
	if err == nil && all == 0 {
		err = errors.New("there is no Kubernetes object in the input")
	}
	return kept, err
}
