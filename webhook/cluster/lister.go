package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	// pageSize limits how much of a list is in the API server and on the network at a time.
	pageSize = 50
	// pageTimeout limits the time for a page, so that a hanging connection does not stop the controller.
	pageTimeout = 30 * time.Second
)

// lister lists objects from the API server in pages, and passes on the JSON of one object at a time. Its memory
// depends on the largest object, and not on the page or the number of objects, because any author of pods controls
// both.
type lister struct{ client rest.Interface }

func newLister(config *rest.Config) (*lister, error) {
	client, err := newJSONClient(config)
	if err != nil {
		return nil, err
	}
	return &lister{client}, nil
}

// newJSONClient returns a client that reads answers as JSON, for callers that decode only a few fields.
func newJSONClient(config *rest.Config) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion() // for errors
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	config.DisableCompression = true // it costs the API server more than it saves on the network
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return client, nil
}

// eachLivePod calls do with the JSON of each injected pod of a namespace that has not terminated. The JSON is valid
// until do returns.
func (l *lister) eachLivePod(ctx context.Context, namespace string, do func(pod []byte) error) error {
	return l.each(ctx, "/api/v1/namespaces/"+namespace+"/pods", map[string]string{
		"labelSelector": v1alpha1.InjectedLabel + "=true",
		"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
	}, do)
}

// eachRoleRef calls do with the role of each RoleBinding and ClusterRoleBinding.
func (l *lister) eachRoleRef(ctx context.Context, do func(rbacv1.RoleRef)) error {
	for _, resource := range []string{"rolebindings", "clusterrolebindings"} {
		err := l.each(ctx, "/apis/rbac.authorization.k8s.io/v1/"+resource, nil, func(object []byte) error {
			var binding struct {
				RoleRef rbacv1.RoleRef `json:"roleRef"`
			}
			if err := json.Unmarshal(object, &binding); err != nil {
				return err
			}
			do(binding.RoleRef)
			return nil
		})
		if err != nil {
			return fmt.Errorf("list %s: %w", resource, err)
		}
	}
	return nil
}

func (l *lister) each(ctx context.Context, path string, query map[string]string, do func(object []byte) error) error {
	for next := ""; ; {
		var err error
		if next, err = l.page(ctx, path, query, next, do); err != nil || next == "" {
			return err
		}
	}
}

// page reads a page and returns the continue token of the next one, which is empty after the last one.
func (l *lister) page(ctx context.Context, path string, query map[string]string, from string,
	do func([]byte) error) (next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	request := l.client.Get().AbsPath(path).Param("limit", strconv.Itoa(pageSize))
	for name, value := range query {
		request.Param(name, value)
	}
	if from != "" {
		request.Param("continue", from)
	}
	body, err := request.Stream(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close()
	return readPage(body, do)
}

// readPage reads a list, such as a PodList, and calls do with each of its items.
func readPage(body io.Reader, do func(item []byte) error) (next string, err error) {
	decoder := json.NewDecoder(body)
	if err := readDelimiter(decoder, '{'); err != nil {
		return "", err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return "", err
		}
		switch name {
		case "metadata":
			var metadata metav1.ListMeta
			err = decoder.Decode(&metadata)
			next = metadata.Continue
		case "items":
			err = readItems(decoder, do)
		default:
			err = decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return "", err
		}
	}
	return next, readDelimiter(decoder, '}')
}

func readItems(decoder *json.Decoder, do func(item []byte) error) error {
	switch begin, err := decoder.Token(); {
	case err != nil:
		return err
	case begin == nil: // null
		return nil
	case begin != json.Delim('['):
		return errNoList
	}
	var item json.RawMessage // its buffer is reused
	for decoder.More() {
		if err := decoder.Decode(&item); err != nil {
			return err
		}
		if err := do(item); err != nil {
			return err
		}
	}
	return readDelimiter(decoder, ']')
}

// errNoList means that the answer is not a list in JSON.
var errNoList = errors.New("the API server's answer is not a list")

func readDelimiter(decoder *json.Decoder, want json.Delim) error {
	found, err := decoder.Token()
	if err == nil && found != want {
		err = errNoList
	}
	return err
}
