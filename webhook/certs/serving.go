// Package certs holds the sources of the server's certificate: files, with cert-manager's state, or a CA that the
// servers manage.
package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// serving is the served certificate, and the problem with the source of the next one.
//
// The two are separate on purpose. All servers read the same source. If a broken source made them unready, one
// mistake would stop the whole webhook, although the served certificate is valid for weeks. So a server is ready
// while its certificate is valid, and reports a broken source in its state and in the log. A server without a valid
// certificate is not ready.
type serving struct {
	log *slog.Logger
	now func() time.Time

	certificate atomic.Pointer[tls.Certificate]
	problem     atomic.Pointer[error] // nil if the source works
	noted       noted
}

// noted is the last logged problem.
type noted struct {
	problem string
	ready   bool
}

func newServing(log *slog.Logger) serving {
	return serving{log: log, now: time.Now}
}

// GetCertificate implements the function of the same name of tls.Config.
func (s *serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate := s.certificate.Load(); certificate != nil {
		return certificate, nil
	}
	if err := s.Problem(); err != nil {
		return nil, fmt.Errorf("no certificate to serve: %w", err)
	}
	return nil, errors.New("no certificate to serve yet")
}

// Ready returns why there is no valid certificate to serve; nil if there is one.
func (s *serving) Ready() error {
	certificate, err := s.GetCertificate(nil)
	if err != nil {
		return err
	}
	if err := validAt(certificate, s.now()); err != nil {
		err = fmt.Errorf("the served certificate %w", err)
		if problem := s.Problem(); problem != nil {
			err = fmt.Errorf("%w; %w", err, problem)
		}
		return err
	}
	return nil
}

// Problem returns the problem with the source of the next certificate; nil if there is none.
func (s *serving) Problem() error {
	if problem := s.problem.Load(); problem != nil {
		return *problem
	}
	return nil
}

// stateOf describes the problem with the source while the served certificate is good; ok is true if there is none.
func (s *serving) stateOf(source string, ready func() error) (text string, ok bool) {
	err := s.Problem()
	if err == nil || ready() != nil {
		return "", true
	}
	return fmt.Sprintf("%s: %s; an earlier certificate is served until %s", source, err,
		s.certificate.Load().Leaf.NotAfter.Format(time.RFC3339)), false
}

// note records a problem, or its end, and logs each change.
func (s *serving) note(problem error) {
	s.problem.Store(&problem)
	before := s.noted
	s.noted = noted{problem: fmt.Sprint(problem), ready: s.Ready() == nil}
	switch {
	case problem != nil && s.noted != before:
		s.log.Warn("Cannot load the certificate", "cause", problem.Error(), "ready", s.noted.ready)
	case problem == nil && before.problem != "" && before.problem != s.noted.problem:
		s.log.Info("The certificate source works again")
	}
}

// serve serves a certificate from now on, and logs it.
func (s *serving) serve(certificate *tls.Certificate) {
	if s.serves(certificate) {
		return
	}
	s.certificate.Store(certificate)
	s.log.Info("Serving a new certificate", "serial", fmt.Sprintf("%x", certificate.Leaf.SerialNumber), "expires",
		certificate.Leaf.NotAfter.Format(time.RFC3339))
}

// serves reports whether the served certificate is this one, with the same chain.
func (s *serving) serves(certificate *tls.Certificate) bool {
	return sameChain(s.certificate.Load(), certificate)
}

// sameChain reports whether both send the same chain to a client. The leaf alone is not enough: a corrected chain may
// differ only in an intermediate certificate.
func sameChain(a, b *tls.Certificate) bool {
	return a != nil && b != nil && slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// validAt returns why a certificate is not valid at a time, as a phrase that follows its name; nil if it is.
func validAt(certificate *tls.Certificate, now time.Time) error {
	if expires := certificate.Leaf.NotAfter; now.After(expires) {
		return fmt.Errorf("expired at %s", expires.Format(time.RFC3339))
	}
	if begins := certificate.Leaf.NotBefore; now.Before(begins) {
		return fmt.Errorf("is not valid before %s", begins.Format(time.RFC3339))
	}
	return nil
}
