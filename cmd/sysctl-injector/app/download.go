package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
	"github.com/sysctl-injector/sysctl-injector/webhook/regular"
)

// downloadTimeout limits how long one manifest may take to arrive.
const downloadTimeout = time.Minute

// isAddress reports whether a name is a URL rather than a path, by kubectl's rule.
func isAddress(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// download reads a manifest from a web server.
func download(ctx context.Context, address string) ([]byte, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("read a URL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", parsed.Redacted(), err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", parsed.Redacted(), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read %s: the server answers %s", parsed.Redacted(), response.Status)
	}
	content, err := regular.ReadAll(response.Body, manifest.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", parsed.Redacted(), err)
	}
	return content, nil
}
