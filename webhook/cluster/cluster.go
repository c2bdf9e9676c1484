// Package cluster knows what decisions depend on in a cluster: the namespaces that are opted in, the RuntimeClasses, and the
// policies and profiles in force. It answers from caches that hold no more than that.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// leaseName is the Lease by which replicas agree on one that writes status and repairs grants.
const leaseName = "sysctl-injector"

// Config is how a Cluster is reached.
type Config struct {
	REST *rest.Config
	// LeaderElectionNamespace holds the Lease by which replicas choose one that writes. Empty: this one always does.
	LeaderElectionNamespace string
}

// Cluster answers from its caches, once Ready.
type Cluster struct {
	manager ctrl.Manager
	rules   *rules
	synced  atomic.Bool
}

// New returns a Cluster that has read nothing yet: Start does.
func New(config Config) (*Cluster, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), nodev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	optedIn := labels.SelectorFromSet(labels.Set{v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	managed := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})}
	manager, err := ctrl.NewManager(config.REST, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			ByObject: map[client.Object]cache.ByObject{
				namespaceMetadata():   {Label: optedIn, Transform: keepLabels},
				&rbacv1.ClusterRole{}: managed,
				&rbacv1.RoleBinding{}: managed,
			},
			DefaultTransform: cache.TransformStripManagedFields(),
			// Nobody here changes what the caches hold.
			DefaultUnsafeDisableDeepCopy: new(true),
		},
		LeaderElection:                config.LeaderElectionNamespace != "",
		LeaderElectionNamespace:       config.LeaderElectionNamespace,
		LeaderElectionID:              leaseName,
		LeaderElectionReleaseOnCancel: true,
		// Liveness, readiness and metrics have a listener of their own, with a cluster or without.
		HealthProbeBindAddress: "0",
		Metrics:                metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	if err := addStatusControllers(manager); err != nil {
		return nil, err
	}
	return &Cluster{manager: manager, rules: newRules()}, nil
}

// Manager runs what else works on the cluster.
func (c *Cluster) Manager() ctrl.Manager { return c.manager }

// Start fills the caches and keeps them up to date until ctx ends.
func (c *Cluster) Start(ctx context.Context) error {
	for _, object := range []client.Object{namespaceMetadata(), &nodev1.RuntimeClass{}} {
		// Without this the first request would start the cache, and wait for it.
		if _, err := c.manager.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	if err := c.rules.watch(ctx, c.manager.GetCache()); err != nil {
		return err
	}
	go func() {
		if c.manager.GetCache().WaitForCacheSync(ctx) && c.rules.wait(ctx) {
			c.synced.Store(true)
		}
	}()
	return c.manager.Start(ctx)
}

// Ready says why the cluster is not known yet; nil when it is.
func (c *Cluster) Ready() error {
	if !c.synced.Load() {
		return errors.New("the caches of namespaces, RuntimeClasses, policies and profiles are not filled yet")
	}
	return nil
}

// NamespaceLabels returns a namespace's labels. The cache holds the namespaces that are opted in; only for others, which the
// API server does not ask about but by mistake, or before the cache has heard of the label, the API server is asked.
func (c *Cluster) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	namespace := namespaceMetadata()
	if err := c.get(ctx, name, namespace); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return namespace.Labels, nil
}

// RuntimeClass returns a RuntimeClass, or nil where there is none of that name.
func (c *Cluster) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	class := &nodev1.RuntimeClass{}
	if err := c.get(ctx, name, class); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return class, nil
}

// get reads from the cache, and what is not there from the API server: it may be a moment ahead of the cache.
func (c *Cluster) get(ctx context.Context, name string, into client.Object) error {
	key := client.ObjectKey{Name: name}
	err := c.manager.GetCache().Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		err = c.manager.GetAPIReader().Get(ctx, key, into)
	}
	return err
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace
}

// keepLabels drops what is never asked of a namespace.
func keepLabels(object any) (any, error) {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		namespace.ObjectMeta = metav1.ObjectMeta{
			Name: namespace.Name, UID: namespace.UID, ResourceVersion: namespace.ResourceVersion, Labels: namespace.Labels,
		}
	}
	return object, nil
}
