package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// defaultRequestTimeout is the longest time that the API server waits for one admission webhook.
const defaultRequestTimeout = "30s"

// bounded limits how long a server may take to begin an answer. The Timeout of a rest.Config would also end watches
// and long lists.
type bounded struct {
	next    http.RoundTripper
	timeout time.Duration
}

func (b *bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	timer := time.AfterFunc(b.timeout, cancel)
	response, err := b.next.RoundTrip(request.WithContext(ctx))
	switch inTime := timer.Stop(); {
	case err == nil && inTime:
		response.Body = &cancelOnClose{response.Body, cancel}
		return response, nil
	case err == nil:
		_ = response.Body.Close()
	case inTime || request.Context().Err() != nil:
		cancel()
		return nil, err
	}
	return nil, fmt.Errorf("the API server gave no answer within %s; --request-timeout sets another limit", b.timeout)
}

// cancelOnClose is a body whose request ends with it.
type cancelOnClose struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelOnClose) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}
