package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/sysctl-injector/sysctl-injector/webhook/regular"
)

// Files serves the certificate of two PEM files and reloads it when they change. Missing or mismatched files do not
// stop the server, because the certificate may arrive after the server starts.
//
// controller-runtime's certwatcher does not fit: it fails if the files do not exist yet, serves expired certificates,
// ignores a corrected chain with the same leaf, and reports errors only in its log, not in /readyz.
type Files struct {
	serving
	certFile, keyFile string
}

// reloadInterval is how often the files are read. They are small. Polling notices every kind of change (a kubelet
// swaps a symlink several directories above) and needs no inotify watches, which are limited per node.
const reloadInterval = time.Second

// maxFileSize is the size of the largest Secret, in bytes. A larger file is an error.
const maxFileSize = 1 << 20

// NewFiles returns Files. Start reads them.
func NewFiles(certFile, keyFile string, log *slog.Logger) (*Files, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("certs: both a certificate file and a key file are required")
	}
	return &Files{serving: newServing(log), certFile: certFile, keyFile: keyFile}, nil
}

// Start reads the files every reloadInterval until ctx ends.
func (f *Files) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(context.Context) { f.reload() }, reloadInterval)
	return nil
}

// reload serves the files' certificate, or records why that fails.
func (f *Files) reload() {
	certificate, err := f.read()
	if err == nil {
		f.serve(certificate)
	}
	f.note(err)
}

func (f *Files) read() (*tls.Certificate, error) {
	cert, err := regular.ReadFile(f.certFile, maxFileSize)
	if err != nil {
		return nil, err
	}
	key, err := regular.ReadFile(f.keyFile, maxFileSize)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", f.certFile, f.keyFile, err)
	}
	if err := validAt(&certificate, f.now()); err != nil {
		return nil, fmt.Errorf("%s %w", f.certFile, err)
	}
	return &certificate, nil
}

// State describes why the files cannot be loaded while an earlier certificate is served; ok is true if they can.
func (f *Files) State() (text string, ok bool) {
	return f.stateOf("certificate files", f.Ready)
}
