package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/sysctl-injector/sysctl-injector/webhook/regular"
)

// ClientCAs are the CAs of a PEM file that verify clients' certificates. ClientCAs reloads the file when it changes.
// If the file becomes unreadable, the former CAs stay in force.
type ClientCAs struct {
	file string
	log  *slog.Logger

	mu      sync.Mutex
	content []byte
	pool    *x509.CertPool
	problem error
}

// NewClientCAs returns ClientCAs. Start reads the file.
func NewClientCAs(file string, log *slog.Logger) *ClientCAs {
	return &ClientCAs{file: file, log: log, problem: errors.New("not read yet")}
}

// Start reads the file every reloadInterval until ctx ends.
func (c *ClientCAs) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(context.Context) { c.reload() }, reloadInterval)
	return nil
}

// reload reads the file.
func (c *ClientCAs) reload() {
	content, err := regular.ReadFile(c.file, maxFileSize)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.pool != nil && bytes.Equal(content, c.content) {
		c.problem = nil
		return
	}
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(content) {
		err = fmt.Errorf("%s has no certificate in PEM", c.file)
	}
	if err != nil {
		if c.problem == nil || c.problem.Error() != err.Error() {
			c.log.Warn("Client CAs unreadable", "cause", err.Error(), "ready", c.pool != nil)
		}
		c.problem = err
		return
	}
	c.content, c.pool, c.problem = content, pool, nil
	c.log.Info("Client CAs read", "file", c.file)
}

// Pool returns the CAs, or an error if there are none yet.
func (c *ClientCAs) Pool() (*x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool == nil {
		return nil, fmt.Errorf("no client CAs: %w", c.problem)
	}
	return c.pool, nil
}

// Ready returns why clients cannot be verified; nil if they can.
func (c *ClientCAs) Ready() error {
	_, err := c.Pool()
	return err
}

// State describes the problem with the file while former CAs are in force; ok is true if there is no problem.
func (c *ClientCAs) State() (text string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool == nil || c.problem == nil {
		return "", true
	}
	return fmt.Sprintf("client CAs: %s; the former CAs stay in force", c.problem), false
}
