package certs

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certutil "k8s.io/client-go/util/cert"
)

func TestTrust(t *testing.T) {
	at := newClock().now()
	ca := func(name string, made time.Time) []byte {
		return newPair(t, name, made.Add(-clockSkew), made.Add(caValidity)).cert
	}
	current, earlier, later := ca("current", at), ca("earlier", at.Add(-time.Hour)), ca("later", at.Add(time.Second))
	expired := newPair(t, "expired", at.Add(-2*time.Hour), at.Add(-time.Hour)).cert
	both := slices.Concat(earlier, current)
	tests := []struct {
		name    string
		bundle  []byte
		later   time.Duration
		want    []string
		differs bool
	}{
		{name: "adds the CA where there is none", want: []string{"current"}, differs: true},
		{name: "leaves it where it is", bundle: current, want: []string{"current"}},
		{name: "adds it beside the one before", bundle: earlier, want: []string{"current", "earlier"}, differs: true},
		{name: "keeps the one before at first, in whatever order", bundle: both, later: overlap,
			want: []string{"current", "earlier"}},
		{name: "drops the one before after a while", bundle: both, later: overlap + time.Second,
			want: []string{"current"}, differs: true},
		{name: "never drops a later one, which another server has made", bundle: slices.Concat(later, current),
			later: 48 * time.Hour, want: []string{"current", "later"}},
		{name: "drops what has expired", bundle: slices.Concat(expired, current), want: []string{"current"},
			differs: true},
		{name: "replaces what cannot be read", bundle: []byte("x"), want: []string{"current"}, differs: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bundle, differs, err := withCA(test.bundle, current, at.Add(test.later))
			if err != nil {
				t.Fatal(err)
			}
			if differs != test.differs {
				t.Errorf("differs: %v", differs)
			}
			held, err := certutil.ParseCertsPEM(bundle)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, certificate := range held {
				names = append(names, certificate.Subject.CommonName)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("holds (-want +got):\n%s", diff)
			}
			if again, differs, err := withCA(bundle, current, at.Add(test.later)); differs || err != nil ||
				!bytes.Equal(again, bundle) {
				t.Errorf("a second time: differs %v, %v", differs, err)
			}
		})
	}
	if _, _, err := withCA(nil, []byte("x"),
		at); text(err) != "read the CA: data does not contain any valid RSA or ECDSA certificates" {
		t.Errorf("of a CA that cannot be read it says %v", err)
	}
}
