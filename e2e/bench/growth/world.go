package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// world is a handler with all that it decides by, and the bodies that it is asked about in turn.
type world struct {
	handler *admission.Handler
	bodies  [][]byte
	next    int
}

func newWorld(p pods, size clusterSize) (*world, error) {
	held := caches{
		namespaces: toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, toolscache.Indexers{}),
		grants:     toolscache.NewIndexer(kindAndName, toolscache.Indexers{}),
	}
	namespaces := max(size.namespaces, 1)
	for n := range namespaces {
		name := fmt.Sprintf("shop-%d", n)
		object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{corev1.LabelMetadataName: name,
				v1alpha1.InjectLabel: v1alpha1.InjectEnabled},
		}}
		if err := held.namespaces.Add(object); err != nil {
			return nil, err
		}
	}
	accounts := max(p.accounts, 1)
	w := &world{}
	need := grants.Need{}
	for n := range max(p.sysctls, 1) {
		need.Sysctls = append(need.Sysctls, sysctlName(n))
	}
	for n := range accounts {
		need.Namespace, need.ServiceAccount = fmt.Sprintf("shop-%d", n%namespaces), fmt.Sprintf("account-%d", n)
		if err := held.grant(need); err != nil {
			return nil, err
		}
		w.bodies = append(w.bodies, []byte(p.body(need.Namespace, need.ServiceAccount)))
	}
	var err error
	if held.rules, err = newRules(size); err != nil {
		return nil, err
	}
	injector, err := injection.New(injection.Config{Version: "v1.2.3"})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	granter, err := grants.New(grants.Config{Backend: grants.ValidatingAdmissionPolicy, Client: held, Reader: held,
		Limits: grants.DefaultLimits(), Metrics: grants.NewMetrics(registry)})
	if err != nil {
		return nil, err
	}
	w.handler, err = admission.New(admission.Config{
		Injector: injector, Source: held, Granter: granter,
		Metrics: admission.NewMetrics(registry), Log: slog.New(slog.NewJSONHandler(&nowhere{}, nil)),
	})
	return w, err
}

// newRules makes policies for other namespaces, or for other sysctls, and a last one that allows.
func newRules(size clusterSize) (*policy.Set, error) {
	var policies []*policy.Policy
	count := max(size.policies, 1)
	for n := range count {
		object := &v1alpha1.SysctlPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("policy-%04d", n)},
			Spec:       v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.*"}}}},
		}
		switch {
		case n == count-1:
		case size.oneNamespace:
			object.Spec.Allow[0].Names = []string{fmt.Sprintf("net.ipv4.neigh.eth%d.*", n)}
		default:
			object.Spec.NamespaceSelector.MatchLabels = map[string]string{
				corev1.LabelMetadataName: fmt.Sprintf("other-%d", n)}
		}
		compiled, errs := policy.CompilePolicy(object)
		if len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		policies = append(policies, compiled)
	}
	return policy.NewSet(policies, nil), nil
}

// ask lets the handler decide on the next pod, and checks that it is injected.
func (w *world) ask(ctx context.Context) error {
	body := w.bodies[w.next%len(w.bodies)]
	w.next++
	answer, err := w.handler.Answer(ctx, body)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, []byte(`"patchType":"JSONPatch"`)) {
		return fmt.Errorf("the pod is not injected: %.500s", answer)
	}
	return nil
}

// nowhere discards the log. The handler still formats every line.
type nowhere struct{}

func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }

// caches stand in for the cluster: client-go's stores, as the server's caches are, filled by hand.
type caches struct {
	client.Client // whose writes are never called: all grants are in force
	rules         *policy.Set
	namespaces    toolscache.Indexer
	grants        toolscache.Indexer
}

// Rules implements source.Source.
func (c caches) Rules() *policy.Set { return c.rules }

// grant puts the objects that a need asks for where the server's cache would have them.
func (c caches) grant(need grants.Need) error {
	objects, err := grants.Render(grants.ValidatingAdmissionPolicy, []grants.Need{need})
	if err != nil {
		return err
	}
	var errs []error
	for _, object := range objects {
		object.SetCreationTimestamp(metav1.NewTime(time.Now().Add(-time.Hour)))
		errs = append(errs, c.grants.Add(object))
	}
	return errors.Join(errs...)
}

// kindAndName is the key of an object among those of several kinds.
func kindAndName(object any) (string, error) {
	o, ok := object.(client.Object)
	if !ok {
		return "", fmt.Errorf("%T is no object", object)
	}
	return strings.Join([]string{fmt.Sprintf("%T", o), o.GetNamespace(), o.GetName()}, "/"), nil
}

// Get implements client.Reader as controller-runtime's cache does for callers that do not change the result.
func (c caches) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found, exists, err := c.grants.GetByKey(strings.Join([]string{fmt.Sprintf("%T", into), key.Namespace,
		key.Name}, "/"))
	if err != nil {
		return err
	}
	if !exists {
		return apierrors.NewNotFound(schema.GroupResource{Group: rbacv1.GroupName}, key.Name)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found).Elem())
	return nil
}

// NamespaceLabels implements admission.Cluster.
func (c caches) NamespaceLabels(_ context.Context, name string) (map[string]string, error) {
	found, exists, err := c.namespaces.GetByKey(name)
	if err != nil || !exists {
		return nil, errors.Join(err, fmt.Errorf("there is no namespace %s", name))
	}
	return found.(*metav1.PartialObjectMetadata).Labels, nil
}

// RuntimeClass implements admission.Cluster.
func (c caches) RuntimeClass(context.Context, string) (*nodev1.RuntimeClass, error) { return nil, nil }
