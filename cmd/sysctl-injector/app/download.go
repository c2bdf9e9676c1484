package app

import (
	"context"
	"errors"
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

// displayName returns a name for messages. URLs often have secrets in the user, the password and the query (presigned
// URLs), so it leaves these out.
func displayName(name string) string {
	if !isAddress(name) {
		return oneLine(name)
	}
	parsed, err := url.Parse(name)
	if err != nil {
		return "a URL"
	}
	return oneLine((&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String())
}

// download reads a manifest from a web server.
func download(ctx context.Context, address string) ([]byte, error) {
	content, err := fetch(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", displayName(address), withoutURL(err))
	}
	return content, nil
}

func fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", response.Status)
	}
	return regular.ReadAll(response.Body, manifest.MaxSize)
}

// withoutURL returns the cause of an error that contains a URL. The parser's causes may quote a part of a password.
func withoutURL(err error) error {
	var of *url.Error
	switch {
	case !errors.As(err, &of):
		return err
	case of.Op == "parse":
		return errors.New("it is not valid; in the user and the password, write special characters as %XX")
	}
	return of.Err
}
