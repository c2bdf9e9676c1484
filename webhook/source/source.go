// Package source provides the facts and rules for decisions: namespaces, RuntimeClasses, policies and profiles. A
// Snapshot reads them once, from files or from a cluster. Package cluster has the server's caches, which follow a
// cluster.
package source

import (
	"context"
	"fmt"

	nodev1 "k8s.io/api/node/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Source provides everything that a decision depends on besides the pod. Its methods return when ctx ends.
type Source interface {
	// NamespaceLabels returns a namespace's labels.
	NamespaceLabels(ctx context.Context, name string) (map[string]string, error)
	// RuntimeClass returns a RuntimeClass; nil without an error if it does not exist.
	RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error)
	// Rules returns the current policies and profiles.
	Rules() *policy.Set
}

// Locate fills in where a pod will run. The namespace comes from the target, because a pod under review may not state
// one.
func Locate(ctx context.Context, from Source, p *pod.Pod, target *injection.Target) (err error) {
	if target.NamespaceLabels, err = from.NamespaceLabels(ctx, target.Namespace); err != nil {
		return fmt.Errorf("read namespace %q: %w", target.Namespace, err)
	}
	if p.RuntimeClass != "" {
		if target.RuntimeClass, err = from.RuntimeClass(ctx, p.RuntimeClass); err != nil {
			return fmt.Errorf("read RuntimeClass %q: %w", p.RuntimeClass, err)
		}
	}
	return nil
}
