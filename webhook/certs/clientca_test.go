package certs

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestClientCAs(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.crt")
	cas := NewClientCAs(file, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		name          string
		content       []byte
		ready, inForm bool
	}{
		{"is not ready without a file", nil, false, true},
		{"is not ready with a file that holds no certificate", []byte("nothing"), false, true},
		{"reads the CAs", good, true, true},
		{"keeps the former CAs when the file breaks", []byte("nothing"), true, false},
		{"reads the same CAs again", good, true, true},
	} {
		if step.content != nil {
			if err := os.WriteFile(file, step.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cas.reload()
		if err := cas.Ready(); (err == nil) != step.ready {
			t.Errorf("%s: ready: %v", step.name, err)
		}
		if state, ok := cas.State(); ok != step.inForm {
			t.Errorf("%s: remarks %q", step.name, state)
		}
	}
}
