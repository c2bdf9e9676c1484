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

// Files serves the certificate of two PEM files, and takes up a new one when they change. Files that are missing or do not
// fit together are no reason to end: the certificate may come a little later than the server.
//
// controller-runtime's certwatcher does not fit: it fails where the files are not there yet, serves certificates that have
// expired, never serves a corrected chain of the same leaf, and reports errors in its log alone, not in /readyz.
type Files struct {
	serving
	certFile, keyFile string
}

// lookInterval is how often the files are read. They are small, and reading them sees every way in which they may change: a
// kubelet swaps a link far above them, and the number of inotify watches on a node is limited.
const lookInterval = time.Second

// maxFileSize is the largest file that is read, in bytes: that of the largest Secret.
const maxFileSize = 1 << 20

// NewFiles returns a source that has read nothing yet: Start does.
func NewFiles(certFile, keyFile string, log *slog.Logger) (*Files, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("certs: both a certificate file and a key file are required")
	}
	return &Files{serving: newServing(log), certFile: certFile, keyFile: keyFile}, nil
}

// Start reads the files again and again until ctx ends.
func (f *Files) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(context.Context) { f.look() }, lookInterval)
	return nil
}

// look serves what the files hold, or keeps why that cannot be served.
func (f *Files) look() {
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
	if err := timely(&certificate, f.now()); err != nil {
		return nil, fmt.Errorf("%s %w", f.certFile, err)
	}
	return &certificate, nil
}

// Remark tells of files that cannot be taken up, where an earlier certificate is still served; ok when there are none such.
func (f *Files) Remark() (text string, ok bool) {
	err := f.Problem()
	if err == nil || f.Ready() != nil {
		return "", true
	}
	return fmt.Sprintf("certificate files: %s; serves an earlier certificate until %s", err, f.certificate.Load().Leaf.NotAfter.Format(time.RFC3339)), false
}
