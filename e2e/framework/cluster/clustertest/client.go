package clustertest

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// AdminConfig is an administrator's configuration, without client-go's limit of requests and without printing
// warnings.
func AdminConfig(c *cluster.Cluster) *rest.Config {
	config := c.RESTConfig()
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	return config
}

// NewAdmin returns an administrator's client of Kubernetes' kinds, and of those that the functions add.
func NewAdmin(c *cluster.Cluster, add ...func(*runtime.Scheme) error) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	errs := []error{clientscheme.AddToScheme(scheme)}
	for _, to := range add {
		errs = append(errs, to(scheme))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return client.NewWithWatch(AdminConfig(c), client.Options{Scheme: scheme})
}
