package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const serverName = "sysctl-injector.sysctl-injector-system.svc"

// issued returns the data of a Secret as the servers write it at the time at which a test's clock begins, each time
// the same for a number: RSA keys take their time.
func issued(t *testing.T, number int) map[string][]byte {
	t.Helper()
	data, err := secrets[number]()
	if err != nil {
		t.Fatal(err)
	}
	return maps.Clone(data)
}

func makeIssued() (map[string][]byte, error) { return renew(nil, serverName, newClock().now()) }

var secrets = [3]func() (map[string][]byte, error){sync.OnceValues(makeIssued), sync.OnceValues(makeIssued),
	sync.OnceValues(makeIssued)}

func TestRenewsWhatIsNeeded(t *testing.T) {
	at := newClock().now()
	const day = 24 * time.Hour
	everything, certificate := []string{"ca.crt", "ca.key", "tls.crt", "tls.key"}, []string{"tls.crt", "tls.key"}
	tests := []struct {
		name  string
		later time.Duration
		tweak func(data map[string][]byte)
		want  []string
	}{
		{name: "nothing when it is new"},
		{name: "nothing a day before the certificate's last third", later: 59 * day},
		{name: "the certificate in its last third", later: 61 * day, want: certificate},
		{name: "the certificate when it has expired", later: 365 * day, want: certificate},
		{name: "both in the CA's last third", later: 731 * day, want: everything},
		{name: "everything where there is nothing", tweak: func(data map[string][]byte) { clear(data) },
			want: everything},
		{name: "both without the CA's key", tweak: func(data map[string][]byte) { delete(data, "ca.key") },
			want: everything},
		{name: "both with the key of another CA",
			tweak: func(data map[string][]byte) { data["ca.key"] = issued(t, 1)["ca.key"] }, want: everything},
		{name: "both when the CA cannot be read", tweak: func(data map[string][]byte) { data["ca.crt"] = []byte("x") },
			want: everything},
		{name: "the certificate when it cannot be read", tweak: func(data map[string][]byte) { data["tls.crt"] = nil },
			want: certificate},
		{name: "the certificate with another key",
			tweak: func(data map[string][]byte) { data["tls.key"] = issued(t, 1)["tls.key"] }, want: certificate},
		{name: "the certificate of another CA", tweak: func(data map[string][]byte) {
			other := issued(t, 1)
			data["tls.crt"], data["tls.key"] = other["tls.crt"], other["tls.key"]
		}, want: certificate},
		{name: "the certificate for another name", tweak: func(data map[string][]byte) {
			cert, key, err := issue(data["ca.crt"], data["ca.key"], "other.example.svc", at)
			if err != nil {
				t.Fatal(err)
			}
			data["tls.crt"], data["tls.key"] = cert, key
		}, want: certificate},
		{name: "everything that is of the future", later: -2 * day, want: everything},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			data, now := issued(t, 0), at.Add(test.later)
			if test.tweak != nil {
				test.tweak(data)
			}
			renewed, err := renew(data, serverName, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, slices.Sorted(maps.Keys(renewed))); diff != "" {
				t.Errorf("renews (-want +got):\n%s", diff)
			}
			maps.Copy(data, renewed)
			if again, err := renew(data, serverName, now); again != nil || err != nil {
				t.Errorf("what was renewed is not as it should be: renews %v, %v", slices.Sorted(maps.Keys(again)), err)
			}
		})
	}
}

func TestIssuesWhatTheAPIServerVerifies(t *testing.T) {
	at := newClock()
	data := issued(t, 0)
	certificate := pair{data["tls.crt"], data["tls.key"]}.parse(t)
	if err := verifyFor(data["ca.crt"], certificate, serverName, at.now()); err != nil {
		t.Error(err)
	}
	if err := verifyFor(data["ca.crt"], certificate, "other.example.svc", at.now()); err == nil {
		t.Error("it is good for another name")
	}
	if err := verifyFor(issued(t, 1)["ca.crt"], certificate, serverName, at.now()); err == nil {
		t.Error("another CA verifies it")
	}
	if key, ok := certificate.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("its key is a %T", certificate.PrivateKey)
	}
	if want := at.Add(90 * 24 * time.Hour); !certificate.Leaf.NotAfter.Equal(want) {
		t.Errorf("it expires at %s, want %s", certificate.Leaf.NotAfter, want)
	}
	if certificate.Leaf.IsCA {
		t.Error("it could issue others")
	}
	if next := issued(t, 1); bytes.Equal(next["tls.key"], data["tls.key"]) ||
		bytes.Equal(next["ca.key"], data["ca.key"]) {
		t.Error("keys are used twice")
	}
}
