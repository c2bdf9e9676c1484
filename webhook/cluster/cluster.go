// Package cluster connects the server with its cluster. It implements package source with caches of the
// enrolled namespaces, the RuntimeClasses, and the policies and profiles. It also writes their status, elects a
// leader, and starts the writers of grants and Events, which are in packages grants and events.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/events"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/source"
	"github.com/sysctl-injector/sysctl-injector/webhook/trial"
)

// Config configures a Cluster.
type Config struct {
	REST *rest.Config
	// LeaderElectionNamespace holds the Lease of leader election. Empty: no election, and this server leads.
	LeaderElectionNamespace string
	// Grants is whether grants are generated or required, and Backend their kind.
	Grants  GrantMode
	Backend grants.Backend
	// Limits limit what GenerateGrants creates.
	Limits grants.Limits
	// Registry registers the metrics.
	Registry prometheus.Registerer
	Log      *slog.Logger
}

// GrantMode is how a pod gets the grants that it needs.
type GrantMode string

const (
	// GenerateGrants applies them before the pod is admitted.
	GenerateGrants GrantMode = "generate"
	// RequireGrants rejects a pod without them.
	RequireGrants GrantMode = "require"
)

// Cluster answers from its caches. It must be Ready first.
type Cluster struct {
	manager ctrl.Manager
	objects *reader
	lister  *lister
	rules   *rules
	granter *grants.Granter // nil with RequireGrants
	events  *events.Recorder
	trials  *trial.Counter
	config  Config
	synced  chan struct{} // closed once the caches are filled
}

var _ source.Source = (*Cluster)(nil)

// New returns a Cluster. Start fills its caches.
func New(config Config) (*Cluster, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), nodev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme),
		authorizationv1.AddToScheme(scheme),
		v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	unthrottled := rest.CopyConfig(config.REST)
	// client-go's limit of 5 calls a second would delay pods; the API server has Priority and Fairness.
	unthrottled.QPS = -1
	unthrottled.Wrap(newWatchActivity(config.Registry).wrap)
	server, err := newServerName()
	if err != nil {
		return nil, err
	}
	lease, err := newLease(unthrottled, config.LeaderElectionNamespace, server)
	if err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(unthrottled, managerOptions(scheme, lease))
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	if err := addStatusControllers(manager); err != nil {
		return nil, err
	}
	lister, err := newLister(unthrottled)
	if err != nil {
		return nil, err
	}
	counter := trial.NewCounter(time.Now)
	if err := manager.Add(&trials{
		counter: counter, server: server, reader: manager.GetCache(), writer: manager.GetClient().Status(),
		now: time.Now, log: config.Log,
	}); err != nil {
		return nil, err
	}
	c := &Cluster{manager: manager, lister: lister, rules: newRules(), trials: counter, config: config,
		objects: newReader(manager.GetCache(), manager.GetAPIReader()), synced: make(chan struct{})}
	if err := c.addEvents(unthrottled); err != nil {
		return nil, err
	}
	switch config.Grants {
	case RequireGrants:
		return c, nil
	case GenerateGrants:
		c.granter, err = grants.New(grants.Config{
			Backend: config.Backend, Client: manager.GetClient(), Reader: manager.GetAPIReader(),
			Limits: config.Limits, Metrics: grants.NewMetrics(config.Registry),
		})
		return c, err
	}
	return nil, fmt.Errorf("cluster: Grants: %q is neither %s nor %s", config.Grants, GenerateGrants, RequireGrants)
}

// managerOptions returns the options of the manager. The lease is that of leader election; nil for none.
func managerOptions(scheme *runtime.Scheme, lease resourcelock.Interface) ctrl.Options {
	enrolled := labels.SelectorFromSet(labels.Set{v1alpha1.InjectLabel: v1alpha1.InjectEnabled})
	managed := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})}
	return ctrl.Options{
		Scheme:         scheme,
		MapperProvider: newMapper,
		Cache: cache.Options{
			ByObject: map[client.Object]cache.ByObject{
				namespaceMetadata():   {Label: enrolled, Transform: keepLabels},
				&rbacv1.ClusterRole{}: managed,
				&rbacv1.RoleBinding{}: managed,
			},
			DefaultTransform: cache.TransformStripManagedFields(),
			// Start begins every watch. Without this option, reading another kind would start a cache of all its
			// objects.
			ReaderFailOnMissingInformer: true,
			// No code here changes a cached object.
			DefaultUnsafeDisableDeepCopy: new(true),
		},
		LeaderElection:                      lease != nil,
		LeaderElectionResourceLockInterface: lease,
		LeaderElectionReleaseOnCancel:       true,
		// A leader that cannot renew its Lease within the deadline exits, so the deadline is longer than an API
		// server restart.
		LeaseDuration: new(time.Minute),
		RenewDeadline: new(40 * time.Second),
		// Liveness, readiness and metrics have their own listener, which also works without a cluster.
		HealthProbeBindAddress: "0",
		Metrics:                metricsserver.Options{BindAddress: "0"},
	}
}

// Tried counts a pod for the policies on trial that would have rejected it. It does not block.
func (c *Cluster) Tried(policies []string) { c.trials.Add(policies) }

// Ensure makes sure that a pod's service account has the grants that the pod needs, by the mode in Config.Grants.
func (c *Cluster) Ensure(ctx context.Context, need grants.Need) error {
	if c.granter != nil {
		return c.granter.Ensure(ctx, need)
	}
	checker := grants.Checker{Backend: c.config.Backend, Client: c.manager.GetClient()}
	return checker.Ensure(ctx, need)
}

// ManageGrants makes the leader reconcile the grants with the needs of the live pods. The function need gets a pod in
// JSON, and returns its need under the current rules, or nil.
func (c *Cluster) ManageGrants(ctx context.Context,
	need func(ctx context.Context, from source.Source, namespace string, pod []byte) (*grants.Need, error),
	grace time.Duration) error {
	controller, err := grants.NewController(grants.ControllerConfig{
		Granter: c.granter, Grace: grace, IsEnrolled: c.isEnrolled, EachRoleRef: c.lister.eachRoleRef,
		EachNeed: func(ctx context.Context, namespace string, add func(grants.Need)) error {
			// Without policies, no pod would seem to need anything.
			if err := c.wait(ctx); err != nil {
				return err
			}
			return c.lister.eachLivePod(ctx, namespace, func(pod []byte) error {
				found, err := need(ctx, cached{c}, namespace, pod)
				if found != nil {
					add(*found)
				}
				return err
			})
		},
	})
	if err != nil {
		return err
	}
	return controller.SetupWithManager(ctx, c.manager)
}

// Start fills the caches and keeps them up to date until ctx ends.
func (c *Cluster) Start(ctx context.Context) error {
	for _, object := range []client.Object{namespaceMetadata(), &nodev1.RuntimeClass{}} {
		// Without this call, the first request would start the cache and wait for it.
		if _, err := c.manager.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	if err := c.rules.watch(ctx, c.manager.GetCache()); err != nil {
		return err
	}
	if c.granter != nil {
		if err := c.granter.Watch(ctx, c.manager.GetCache()); err != nil {
			return err
		}
	}
	go func() {
		if c.manager.GetCache().WaitForCacheSync(ctx) && c.rules.wait(ctx) {
			close(c.synced)
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- c.manager.Start(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-c.synced:
		return <-ended
	default: // controller-runtime keeps waiting for the caches, and nothing that must stop runs yet
		return nil
	}
}

// Ready returns an error until the caches are filled.
func (c *Cluster) Ready() error {
	select {
	case <-c.synced:
		return nil
	default:
		return errNotSynced
	}
}

var errNotSynced = errors.New("the caches of namespaces, RuntimeClasses, policies and profiles are not filled yet")

// wait returns nil when the caches are filled, or errNotSynced if ctx ends first.
func (c *Cluster) wait(ctx context.Context) error {
	select {
	case <-c.synced:
		return nil
	case <-ctx.Done():
		return errNotSynced
	}
}

// NamespaceLabels returns a namespace's labels. The cache holds the enrolled namespaces. For others it asks the API
// server: the label may be newer than the cache, or the review may be a mistake.
func (c *Cluster) NamespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	if err := c.wait(ctx); err != nil { // a decision reads the namespace first and the policies later
		return nil, err
	}
	namespace := namespaceMetadata()
	if err := c.objects.get(ctx, name, namespace); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return namespace.Labels, nil
}

// isEnrolled reads only the cache.
func (c *Cluster) isEnrolled(ctx context.Context, namespace string) (bool, error) {
	err := c.manager.GetCache().Get(ctx, client.ObjectKey{Name: namespace}, namespaceMetadata())
	return err == nil, client.IgnoreNotFound(err)
}

// RuntimeClass returns a RuntimeClass by name, or nil if it does not exist.
func (c *Cluster) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	class := &nodev1.RuntimeClass{}
	if err := c.objects.get(ctx, name, class); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return class, nil
}

// cached asks the API server for no RuntimeClass. Many live pods may name one that somebody deleted, and reading it for
// each of them would use up the reads of new pods.
type cached struct{ *Cluster }

func (c cached) RuntimeClass(ctx context.Context, name string) (*nodev1.RuntimeClass, error) {
	class := &nodev1.RuntimeClass{}
	if err := c.objects.cache.Get(ctx, client.ObjectKey{Name: name}, class); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return class, nil
}
