package cluster

import (
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// leaseName is the Lease of leader election. The leader writes status and reconciles grants.
const leaseName = "sysctl-injector"

// newLease returns the lock, or nil if there is no election. Unlike controller-runtime's own, it writes no Events,
// which would need another permission. The Lease names the leader.
func newLease(config *rest.Config, namespace, server string) (resourcelock.Interface, error) {
	if namespace == "" {
		return nil, nil
	}
	leases, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: leaseName},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: server},
	}, nil
}

// newServerName returns this server's name for the Lease and for the status of policies. Each start has a new name.
func newServerName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this server: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}
