package app

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

func TestReadyz(t *testing.T) {
	fine, broken := func() error { return nil }, func() error { return errors.New("the reason") }
	says := func(text string, ok bool) func() (string, bool) { return func() (string, bool) { return text, ok } }
	tests := []struct {
		name, query string
		checks      []check
		code        int
		body        string
	}{
		{"says no more than ok", "", []check{{name: "a", ready: fine, state: says("a state", false)}},
			http.StatusOK, "ok\n"},
		{"lists everything when asked", "?verbose", []check{{name: "a", ready: fine, state: says("all is well", true)},
			{name: "b", ready: fine, state: says("", true)}},
			http.StatusOK, "[+]a ok\n[+]all is well\n[+]b ok\n"},
		{"is ready whatever it remarks", "?verbose", []check{{state: says("a state", false)}}, http.StatusOK,
			"[!]a state\n"},
		{"lists everything when not ready", "", []check{{name: "a", ready: broken, state: says("a state", false)},
			{name: "b", ready: fine}},
			http.StatusServiceUnavailable, "[-]a: the reason\n[!]a state\n[+]b ok\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			readyz(test.checks).ServeHTTP(answer,
				httptest.NewRequest(http.MethodGet, "/readyz"+test.query, http.NoBody))
			if answer.Code != test.code || answer.Body.String() != test.body {
				t.Errorf("answers %d %q, want %d %q", answer.Code, answer.Body, test.code, test.body)
			}
		})
	}
}

// Where there is no certificate, what cert-manager says of it is the reason that helps.
func TestSaysWhyCertManagerHasMadeNone(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	options := certificateOptions{
		source:      certificateFiles,
		certFile:    "tls.crt",
		keyFile:     "tls.key",
		certificate: "serving",
	}
	_, components, err := options.open(&rest.Config{}, "system", prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	const want = "no certificate to serve yet; cert-manager Certificate system/serving has not been read yet"
	if err := components[0].ready(); err == nil || err.Error() != want {
		t.Errorf("ready says %v, want %s", err, want)
	}
}
