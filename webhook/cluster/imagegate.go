package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

const (
	// guardDelay is the time after which every API server has learned of a change to the guard. An API server looks
	// for changed policies once a second, and then compiles them.
	guardDelay = 5 * time.Second
	// gatePatience limits the wait. A server that never becomes ready would block pods that the guard does not
	// affect: some need no container, and some namespaces have no guard.
	gatePatience = time.Minute
	gatePeriod   = 500 * time.Millisecond
	gateTimeout  = 5 * time.Second // for one call
)

// imagePolicies are the policies of the guard that list the init images.
var imagePolicies = []string{"sysctl-injector-baseline", "sysctl-injector-restricted"}

// ImageGate keeps this server unready until the installed guard admits its init image. In an upgrade to another image,
// servers and the guard are replaced at the same time. A server that was ready earlier would inject an image that API
// servers reject.
type ImageGate struct {
	read  func(ctx context.Context, policy string) (imagePolicy, error)
	image string
	now   func() time.Time
	log   *slog.Logger

	began   time.Time // of Start
	missing bool      // the guard was seen without the image
	listed  time.Time // since when the guard lists the image; zero while it does not
	waits   atomic.Pointer[error]
}

// NewImageGate returns an ImageGate. Start reads the guard. The image is the one that this server injects.
func NewImageGate(config *rest.Config, image string, log *slog.Logger) (*ImageGate, error) {
	client, err := newJSONClient(config)
	if err != nil {
		return nil, err
	}
	return newImageGate(func(ctx context.Context, policy string) (imagePolicy, error) {
		ctx, cancel := context.WithTimeout(ctx, gateTimeout)
		defer cancel()
		// Version 0 asks for the API server's own cache instead of etcd.
		answer := client.Get().AbsPath("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", policy).
			Param("resourceVersion", "0").Do(ctx)
		if err := answer.Error(); err != nil { // has the API server's message, unlike the error of Raw
			return imagePolicy{}, err
		}
		object, err := answer.Raw()
		if err != nil {
			return imagePolicy{}, err
		}
		return readImagePolicy(object)
	}, image, time.Now, log), nil
}

func newImageGate(read func(context.Context, string) (imagePolicy, error), image string, now func() time.Time,
	log *slog.Logger) *ImageGate {
	g := &ImageGate{read: read, image: image, now: now, log: log}
	g.wait(errors.New("the guard has not been read yet"))
	return g
}

// Ready returns an error until API servers admit the init image. Then the server stays ready.
func (g *ImageGate) Ready() error { return *g.waits.Load() }

func (g *ImageGate) wait(reason error) { g.waits.Store(&reason) }

// Start reads the guard until this server may become ready, or the context ends.
func (g *ImageGate) Start(ctx context.Context) error {
	ticker := time.NewTicker(gatePeriod)
	defer ticker.Stop()
	g.began = g.now()
	for !g.look(ctx) {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	return nil
}

// look reads the guard once, and reports whether the wait is over.
func (g *ImageGate) look(ctx context.Context) bool {
	reason := g.judge(ctx)
	if reason != nil && g.now().Sub(g.began) >= gatePatience {
		g.log.WarnContext(ctx, "Serving although the guard may reject the init image", "image", g.image, "cause",
			reason.Error())
		reason = nil
	}
	g.wait(reason)
	return reason == nil
}

// judge returns why API servers may still reject the init image.
func (g *ImageGate) judge(ctx context.Context) error {
	now := g.now()
	var changed time.Time
	for _, name := range imagePolicies {
		policy, err := g.read(ctx, name)
		if apierrors.IsNotFound(err) {
			continue // a missing policy rejects no image
		}
		if err != nil {
			return fmt.Errorf("read ValidatingAdmissionPolicy %q: %w", name, err)
		}
		if !policy.lists(g.image) {
			g.missing, g.listed = true, time.Time{}
			return fmt.Errorf("ValidatingAdmissionPolicy %q does not list the init image %q", name, g.image)
		}
		if changed.Before(policy.changed) {
			changed = policy.changed
		}
	}
	if g.listed.IsZero() {
		g.listed = now
		// After a restart, there is no wait: API servers have long known the guard. Clocks may differ, so a change
		// counts from now if this server has seen it itself, or if its time is in the future.
		if !g.missing && changed.Before(now) {
			g.listed = changed
		}
	}
	if left := guardDelay - now.Sub(g.listed); left > 0 {
		return fmt.Errorf("the guard has just changed: API servers admit the init image %q in %s at the latest",
			g.image, left.Round(time.Millisecond))
	}
	return nil
}

// imagePolicy holds the init images in a ValidatingAdmissionPolicy.
type imagePolicy struct {
	images  []string
	changed time.Time // when the policy was last written
}

// lists reports whether the policy admits an image, as templates/guard/standard.yaml does.
func (p imagePolicy) lists(image string) bool {
	return slices.ContainsFunc(p.images, func(listed string) bool {
		return image == listed || form.IsPinned(image, listed)
	})
}

// readImagePolicy decodes only the needed fields. The variable is a list of strings in CEL, which is also valid JSON.
func readImagePolicy(object []byte) (p imagePolicy, err error) {
	var policy struct {
		Metadata struct {
			ManagedFields []struct {
				Subresource string      `json:"subresource"`
				Time        metav1.Time `json:"time"`
			} `json:"managedFields"`
		} `json:"metadata"`
		Spec struct {
			Variables []struct{ Name, Expression string } `json:"variables"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(object, &policy); err != nil {
		return p, err
	}
	if len(policy.Metadata.ManagedFields) == 0 {
		return p, errors.New("it has no metadata.managedFields")
	}
	for _, manager := range policy.Metadata.ManagedFields {
		if manager.Subresource == "" && manager.Time.After(p.changed) {
			p.changed = manager.Time.Time
		}
	}
	for _, variable := range policy.Spec.Variables {
		if variable.Name == "images" {
			err = json.Unmarshal([]byte(variable.Expression), &p.images)
		}
	}
	return p, err
}
