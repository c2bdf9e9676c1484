package certs

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mount is a directory of files that are changed as a kubelet changes a mounted Secret: a link is swapped, far above
// them.
type mount struct{ dir string }

func (m mount) write(t *testing.T, files map[string][]byte) {
	t.Helper()
	data := filepath.Join(m.dir, "..data_"+rand.Text())
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(data, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name)); err != nil &&
			!errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	link := filepath.Join(m.dir, "..data_new")
	if err := errors.Join(os.Symlink(filepath.Base(data), link),
		os.Rename(link, filepath.Join(m.dir, "..data"))); err != nil {
		t.Fatal(err)
	}
}

func (m mount) writePair(t *testing.T, p pair) {
	t.Helper()
	m.write(t, map[string][]byte{"tls.crt": p.cert, "tls.key": p.key})
}

func newFiles(t *testing.T, m mount, log *logbook) *Files {
	t.Helper()
	files, err := NewFiles(filepath.Join(m.dir, "tls.crt"), filepath.Join(m.dir, "tls.key"), log.logger())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// breakages are the ways in which files can be of no use.
var breakages = []struct {
	name string
	// files says what is written when the time is now.
	files func(t *testing.T, now time.Time) map[string][]byte
	// reason says why they are of no use; DIR is the directory.
	reason string
}{
	{"missing", func(*testing.T, time.Time) map[string][]byte { return nil },
		"open DIR/tls.crt: no such file or directory"},
	{"without a key", func(t *testing.T, now time.Time) map[string][]byte {
		return map[string][]byte{"tls.crt": newPair(t, "bad", now.Add(-time.Hour), now.Add(time.Hour)).cert}
	}, "open DIR/tls.key: no such file or directory"},
	{"unreadable", func(*testing.T, time.Time) map[string][]byte {
		return map[string][]byte{"tls.crt": []byte("-----BEGIN CERTI"), "tls.key": nil}
	}, "DIR/tls.crt with DIR/tls.key: tls: failed to find any PEM data in certificate input"},
	{"mismatched", func(t *testing.T, now time.Time) map[string][]byte {
		return map[string][]byte{
			"tls.crt": newPair(t, "bad", now.Add(-time.Hour), now.Add(time.Hour)).cert,
			"tls.key": newPair(t, "bad", now.Add(-time.Hour), now.Add(time.Hour)).key,
		}
	}, "DIR/tls.crt with DIR/tls.key: tls: private key does not match public key"},
	{"expired", func(t *testing.T, now time.Time) map[string][]byte {
		p := newPair(t, "bad", now.Add(-2*time.Hour), now.Add(-time.Hour))
		return map[string][]byte{"tls.crt": p.cert, "tls.key": p.key}
	}, "DIR/tls.crt expired at 2026-03-01T11:00:00Z"},
	{"not valid yet", func(t *testing.T, now time.Time) map[string][]byte {
		p := newPair(t, "bad", now.Add(time.Hour), now.Add(2*time.Hour))
		return map[string][]byte{"tls.crt": p.cert, "tls.key": p.key}
	}, "DIR/tls.crt is not valid before 2026-03-01T13:00:00Z"},
}

func TestIsNotReadyWithoutAUsableCertificateUntilThereIsOne(t *testing.T) {
	for _, breakage := range breakages {
		t.Run(breakage.name, func(t *testing.T) {
			m, at, log := mount{t.TempDir()}, newClock(), &logbook{}
			files := newFiles(t, m, log)
			files.now = at.now
			if got := text(files.Ready()); got != "no certificate to serve yet" {
				t.Errorf("before the first look: %q", got)
			}
			m.write(t, breakage.files(t, at.now()))
			files.reload()
			files.reload() // nothing new
			reason := strings.ReplaceAll(breakage.reason, "DIR", m.dir)
			if got, want := text(files.Ready()), "no certificate to serve: "+reason; got != want {
				t.Errorf("ready says %q, want %q", got, want)
			}
			if _, err := files.GetCertificate(nil); err == nil {
				t.Error("a certificate is served")
			}
			if state, ok := files.State(); state != "" || !ok {
				t.Errorf("remarks besides that: %q", state)
			}
			if diff := cmp.Diff([]string{"Cannot load the certificate: " + reason}, log.messages(t)); diff != "" {
				t.Errorf("the log (-want +got):\n%s", diff)
			}
			m.writePair(t, newPair(t, "good", at.Add(-time.Hour), at.Add(time.Hour)))
			files.reload()
			if err := files.Ready(); err != nil {
				t.Errorf("after the repair: %v", err)
			}
			if diff := cmp.Diff([]string{"Serving a new certificate", "The certificate source works again"},
				log.messages(t)); diff != "" {
				t.Errorf("the log after the repair (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServesAValidCertificateOnWhenTheFilesBreak(t *testing.T) {
	for _, breakage := range breakages {
		t.Run(breakage.name, func(t *testing.T) {
			m, at, log := mount{t.TempDir()}, newClock(), &logbook{}
			files := newFiles(t, m, log)
			files.now = at.now
			m.writePair(t, newPair(t, "good", at.Add(-time.Hour), at.Add(time.Minute)))
			files.reload()
			if diff := cmp.Diff([]string{"Serving a new certificate"}, log.messages(t)); diff != "" {
				t.Errorf("the log, at first (-want +got):\n%s", diff)
			}
			m.write(t, breakage.files(t, at.now()))
			files.reload()
			files.reload()
			if err := files.Ready(); err != nil {
				t.Errorf("a certificate is served that is valid, and ready says: %v", err)
			}
			if got := served(t, files); got != "good" {
				t.Errorf("serves %q", got)
			}
			reason := strings.ReplaceAll(breakage.reason, "DIR", m.dir)
			state, ok := files.State()
			if want := "certificate files: " + reason +
				"; an earlier certificate is served until 2026-03-01T12:01:00Z"; state != want || ok {
				t.Errorf("remarks %q, %v; want %q", state, ok, want)
			}
			if diff := cmp.Diff([]string{"Cannot load the certificate: " + reason}, log.messages(t)); diff != "" {
				t.Errorf("the log (-want +got):\n%s", diff)
			}
			// What is served does not last for ever.
			at.pass(2 * time.Minute)
			if got, want := text(files.Ready()),
				"the served certificate expired at 2026-03-01T12:01:00Z; "+reason; got != want {
				t.Errorf("ready says %q, want %q", got, want)
			}
			files.reload()
			if diff := cmp.Diff([]string{"Cannot load the certificate: " + reason}, log.messages(t)); diff != "" {
				t.Errorf("the log, when it has expired (-want +got):\n%s", diff)
			}
			m.writePair(t, newPair(t, "next", at.Add(-time.Hour), at.Add(time.Hour)))
			files.reload()
			if err := files.Ready(); err != nil || served(t, files) != "next" {
				t.Errorf("after the repair: %v, serves %q", err, served(t, files))
			}
			if state, ok := files.State(); state != "" || !ok {
				t.Errorf("after the repair, the state is %q", state)
			}
		})
	}
}

// A certificate that is not valid yet is loaded when it becomes valid, without a change of the files.
func TestTakesUpACertificateWhenItsTimeComes(t *testing.T) {
	m, at := mount{t.TempDir()}, newClock()
	files := newFiles(t, m, &logbook{})
	files.now = at.now
	m.writePair(t, newPair(t, "good", at.Add(time.Hour), at.Add(2*time.Hour)))
	files.reload()
	if files.Ready() == nil {
		t.Error("ready too early")
	}
	at.pass(time.Hour)
	files.reload()
	if err := files.Ready(); err != nil {
		t.Error(err)
	}
}

// The leaf is the same, and clients that know the root alone need the intermediate certificate.
func TestServesACorrectedChain(t *testing.T) {
	m, at, log := mount{t.TempDir()}, newClock(), &logbook{}
	files := newFiles(t, m, log)
	files.now = at.now
	leaf := newPair(t, "good", at.Add(-time.Hour), at.Add(time.Hour))
	intermediate := newPair(t, "intermediate", at.Add(-time.Hour), at.Add(time.Hour))
	for _, chain := range []struct {
		name  string
		certs []pair
	}{
		{"without the intermediate certificate", []pair{leaf}},
		{"with it", []pair{leaf, intermediate}},
		{"with another", []pair{leaf, newPair(t, "other", at.Add(-time.Hour), at.Add(time.Hour))}},
	} {
		var content []byte
		var want [][]byte
		for _, certificate := range chain.certs {
			content = append(content, certificate.cert...)
			want = append(want, certificate.parse(t).Certificate[0])
		}
		m.write(t, map[string][]byte{"tls.crt": content, "tls.key": leaf.key})
		files.reload()
		files.reload() // nothing new
		certificate, err := files.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, certificate.Certificate); diff != "" {
			t.Errorf("%s: the chain that is served (-want +got):\n%s", chain.name, diff)
		}
		if diff := cmp.Diff([]string{"Serving a new certificate"}, log.messages(t)); diff != "" {
			t.Errorf("%s: the log (-want +got):\n%s", chain.name, diff)
		}
	}
}

// All the rest by itself: what comes late, and what changes.
func TestLooksAtTheFilesAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount{t.TempDir()}
		files := newFiles(t, m, &logbook{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- files.Start(ctx) }()
		for _, name := range []string{"late", "next"} {
			m.writePair(t, newPair(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
			time.Sleep(2 * reloadInterval)
			synctest.Wait()
			if got := served(t, files); got != name {
				t.Errorf("serves %q, want %q", got, name)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func served(t *testing.T, files *Files) string {
	t.Helper()
	certificate, err := files.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.Leaf.Subject.CommonName
}

func TestNeedsBothFiles(t *testing.T) {
	if _, err := NewFiles("tls.crt", "",
		nil); text(err) != "certs: both a certificate file and a key file are required" {
		t.Errorf("got %v", err)
	}
}
