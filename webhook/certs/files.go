// Package certs holds where the server's certificate comes from.
package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// Files serves the certificate of two PEM files, and takes up a new one when they change. Files that are missing or do not
// fit together are no reason to end: the certificate may come a little later than the server.
type Files struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	watcher atomic.Pointer[certwatcher.CertWatcher]
	problem atomic.Pointer[error]
}

// retryInterval is how often files that could not be read yet are looked at again.
const retryInterval = time.Second

// NewFiles returns a source that has read nothing yet: Start does.
func NewFiles(certFile, keyFile string, log *slog.Logger) (*Files, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("certs: both a certificate file and a key file are required")
	}
	f := &Files{certFile: certFile, keyFile: keyFile, log: log, now: time.Now}
	f.note(errors.New("the certificate files have not been read yet"))
	return f, nil
}

// Start reads the files, and again whenever they change, until ctx ends.
func (f *Files) Start(ctx context.Context) error {
	var watcher *certwatcher.CertWatcher
	err := wait.PollUntilContextCancel(ctx, retryInterval, true, func(context.Context) (bool, error) {
		var err error
		if watcher, err = certwatcher.New(f.certFile, f.keyFile); err != nil && f.note(err) {
			f.log.Warn("Waits for a certificate that can be served", "cause", err.Error())
		}
		return err == nil, nil
	})
	if err != nil {
		return nil //nolint:nilerr // ctx has ended: the server stops
	}
	f.watcher.Store(watcher)
	return watcher.Start(ctx)
}

// note keeps the problem for Ready, and tells whether it is another one than before.
func (f *Files) note(problem error) bool {
	before := f.problem.Swap(&problem)
	return before == nil || (*before).Error() != problem.Error()
}

// GetCertificate is for tls.Config.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	watcher := f.watcher.Load()
	if watcher == nil {
		return nil, *f.problem.Load()
	}
	return watcher.GetCertificate(hello)
}

// Ready says why no certificate is served that a client could accept; nil when one is.
func (f *Files) Ready() error {
	certificate, err := f.GetCertificate(nil)
	if err != nil {
		return fmt.Errorf("serving certificate: %w", err)
	}
	switch now := f.now(); {
	case now.After(certificate.Leaf.NotAfter):
		return fmt.Errorf("serving certificate: %s expired at %s", f.certFile, certificate.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(certificate.Leaf.NotBefore):
		return fmt.Errorf("serving certificate: %s is not valid before %s", f.certFile, certificate.Leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}
