// Package certs holds where the server's certificate comes from.
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

// serving is the certificate that is served at this moment, and what is wrong where the next one should come from.
//
// The two are apart on purpose. Every server reads the same source: were they to stop as soon as it is broken, a slip in it would
// take the whole webhook away at once, and with it the creation of pods, while a certificate that clients accept for weeks to
// come is at hand. So a server is ready as long as what it serves is valid, and tells of the broken source in a remark and in the
// log. One that has nothing valid to serve is not ready.
type serving struct {
	log *slog.Logger
	now func() time.Time

	certificate atomic.Pointer[tls.Certificate]
	problem     atomic.Pointer[error] // nothing in it: the source is in order
	noted       noted
}

// noted is what has been logged.
type noted struct {
	problem string
	ready   bool
}

func newServing(log *slog.Logger) serving {
	return serving{log: log, now: time.Now}
}

// GetCertificate is for tls.Config.
func (s *serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate := s.certificate.Load(); certificate != nil {
		return certificate, nil
	}
	if err := s.Problem(); err != nil {
		return nil, fmt.Errorf("no certificate to serve: %w", err)
	}
	return nil, errors.New("no certificate to serve yet")
}

// Ready says why no certificate is served that a client could accept; nil when one is.
func (s *serving) Ready() error {
	certificate, err := s.GetCertificate(nil)
	if err != nil {
		return err
	}
	if err := timely(certificate, s.now()); err != nil {
		err = fmt.Errorf("the certificate that is served %w", err)
		if problem := s.Problem(); problem != nil {
			err = fmt.Errorf("%w; %w", err, problem)
		}
		return err
	}
	return nil
}

// Problem says what is wrong with the source of the next certificate; nil when nothing is.
func (s *serving) Problem() error {
	if problem := s.problem.Load(); problem != nil {
		return *problem
	}
	return nil
}

// note keeps a problem, or that there is none any more, and logs what is not the same as before.
func (s *serving) note(problem error) {
	s.problem.Store(&problem)
	before := s.noted
	s.noted = noted{problem: fmt.Sprint(problem), ready: s.Ready() == nil}
	switch {
	case problem != nil && s.noted != before:
		s.log.Warn("Cannot take up a certificate", "cause", problem.Error(), "ready", s.noted.ready)
	case problem == nil && before.problem != "" && before.problem != s.noted.problem:
		s.log.Info("Can take up certificates again")
	}
}

// serve serves a certificate from now on.
func (s *serving) serve(certificate *tls.Certificate) {
	if s.serves(certificate) {
		return
	}
	s.certificate.Store(certificate)
	s.log.Info("Serves a new certificate", "serial", fmt.Sprintf("%x", certificate.Leaf.SerialNumber), "expires", certificate.Leaf.NotAfter.Format(time.RFC3339))
}

// serves reports whether a certificate is the one that is served, with the same chain.
func (s *serving) serves(certificate *tls.Certificate) bool {
	return sameChain(s.certificate.Load(), certificate)
}

// sameChain reports whether a client is sent the same with both. Comparing the leaf alone is not enough: a chain is corrected by
// adding an intermediate certificate to the same leaf.
func sameChain(a, b *tls.Certificate) bool {
	return a != nil && b != nil && slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// timely says, to follow a certificate's name, why it is not valid at a time; nil when it is.
func timely(certificate *tls.Certificate, now time.Time) error {
	if expires := certificate.Leaf.NotAfter; now.After(expires) {
		return fmt.Errorf("expired at %s", expires.Format(time.RFC3339))
	}
	if begins := certificate.Leaf.NotBefore; now.Before(begins) {
		return fmt.Errorf("is not valid before %s", begins.Format(time.RFC3339))
	}
	return nil
}
