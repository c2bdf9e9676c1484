package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagermetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// checkReader reads a cluster with the caller's permissions.
type checkReader struct {
	cluster   client.Client
	discovery *discovery.DiscoveryClient
}

func newCheckReader(config *rest.Config) (*checkReader, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	r := &checkReader{}
	if r.discovery, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
		return nil, err
	}
	r.cluster, err = client.New(config, client.Options{Scheme: scheme})
	return r, err
}

// apiServer asks for the version, and for the APIs that the checks need.
func (r *checkReader) apiServer() (inspect.APIServer, error) {
	server := inspect.APIServer{Served: map[string]bool{}}
	version, err := r.discovery.ServerVersion()
	if err != nil {
		return server, fmt.Errorf("ask the cluster for its version: %w", err)
	}
	server.Version = version.GitVersion
	for _, group := range []string{"admissionregistration.k8s.io/v1", "cert-manager.io/v1"} {
		resources, err := r.discovery.ServerResourcesForGroupVersion(group)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return server, fmt.Errorf("ask the cluster for its API %s: %w", group, err)
		}
		for _, resource := range resources.APIResources {
			server.Served[group+"/"+resource.Name] = true
		}
	}
	return server, nil
}

// find reads an object, and reports whether it exists. A missing object or kind is not an error.
func (r *checkReader) find(ctx context.Context, object client.Object, namespace, name string) (found bool, err error) {
	err = r.cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	return err == nil, err
}

// definitions reads the installed ones of the wanted CustomResourceDefinitions.
func (r *checkReader) definitions(ctx context.Context, wanted []inspect.Definition) ([]inspect.Definition, error) {
	var all []inspect.Definition
	for _, want := range wanted {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1",
			Kind: "CustomResourceDefinition"})
		found, err := r.find(ctx, object, "", want.Metadata.Name)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		encoded, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var d inspect.Definition
		if err := json.Unmarshal(encoded, &d); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// issued returns why cert-manager's Certificate is not Ready, or "" if it is.
func (r *checkReader) issued(ctx context.Context, namespace string) (notReady string, err error) {
	certificate := &certmanagerv1.Certificate{}
	found, err := r.find(ctx, certificate, namespace, "sysctl-injector")
	if err != nil {
		return "", err
	}
	if !found {
		return "it does not exist", nil
	}
	for _, c := range certificate.Status.Conditions {
		switch {
		case c.Type != certmanagerv1.CertificateConditionReady:
		case c.Status == certmanagermetav1.ConditionTrue:
			return "", nil
		default:
			return c.Reason + ": " + c.Message, nil
		}
	}
	return "cert-manager has not processed it yet", nil
}

// may asks whether the caller has a permission.
func (r *checkReader) may(ctx context.Context, p inspect.Permission) (bool, error) {
	resource, subresource, _ := strings.Cut(p.Resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: p.Verb, Group: p.Group, Resource: resource, Subresource: subresource, Namespace: p.Namespace,
		},
	}}
	if err := r.cluster.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether you may %s: %w", p, err)
	}
	return review.Status.Allowed, nil
}

// user returns the name of the caller, or "" if the API server does not return it.
func (r *checkReader) user(ctx context.Context) string {
	review := &authenticationv1.SelfSubjectReview{}
	if err := r.cluster.Create(ctx, review); err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}

const (
	// kubeletsAtOnce limits the concurrent requests to kubelets, and kubeletTimeout the time of each.
	kubeletsAtOnce = 16
	kubeletTimeout = 10 * time.Second
)

// kubelets reads the configuration of the kubelets, through the API server.
func (r *checkReader) kubelets(ctx context.Context, nodes []corev1.Node) ([]inspect.Kubelet, error) {
	proxy := inspect.Permission{Verb: "get", Resource: "nodes/proxy"}
	allowed, err := r.may(ctx, proxy)
	if err != nil {
		return nil, err
	}
	all := make([]inspect.Kubelet, len(nodes))
	var group errgroup.Group
	group.SetLimit(kubeletsAtOnce)
	for i := range nodes {
		all[i] = inspect.Kubelet{Node: nodes[i].Name, Version: nodes[i].Status.NodeInfo.KubeletVersion}
		if !allowed {
			all[i].Err = inspect.LackedError{Permission: proxy}
			continue
		}
		group.Go(func() error {
			all[i].AllowedUnsafeSysctls, all[i].Err = r.configz(ctx, nodes[i].Name)
			return nil
		})
	}
	return all, group.Wait()
}

// configz returns the unsafe sysctls that a kubelet allows.
func (r *checkReader) configz(ctx context.Context, node string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, kubeletTimeout)
	defer cancel()
	content, err := r.discovery.RESTClient().Get().AbsPath("/api/v1/nodes", node, "proxy/configz").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var config struct {
		KubeletConfig *struct {
			AllowedUnsafeSysctls []string `json:"allowedUnsafeSysctls"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return nil, fmt.Errorf("read the answer of the kubelet: %w", err)
	}
	if config.KubeletConfig == nil {
		return nil, errors.New("the kubelet's answer holds no configuration")
	}
	return config.KubeletConfig.AllowedUnsafeSysctls, nil
}
