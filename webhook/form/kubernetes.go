package form

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// NewestKubernetes is the newest minor version of Kubernetes 1 that is known here.
const NewestKubernetes uint = 37

// ParseKubernetes reads the minor version from a version of Kubernetes: "1.35", or as an API server reports it,
// "v1.35.4-eks-1a2b3c". Empty means the newest.
func ParseKubernetes(text string) (minor uint, err error) {
	if text == "" {
		return NewestKubernetes, nil
	}
	parsed, err := version.ParseGeneric(text)
	if err != nil || parsed.Major() != 1 {
		return 0, fmt.Errorf("not a version of Kubernetes, such as 1.%d", NewestKubernetes)
	}
	return parsed.Minor(), nil
}
