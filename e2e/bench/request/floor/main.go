// Command floor is the least that an HTTPS server in Go can do with an admission request: it reads the body, which it
// does not look at, and answers as many bytes as the query asks for.
package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/request/observe"
)

func main() { observe.Main(serve) }

func serve(s *observe.Server) error {
	certificate, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return err
	}
	if err := s.Observe(listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: echo(), ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}}
	return server.ServeTLS(listener, "", "")
}

// echo answers bytes that say nothing.
func echo() http.HandlerFunc {
	bytes := []byte(strings.Repeat(" ", 1<<16))
	return func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(r.URL.RawQuery)
		if err != nil || size < 0 || size > len(bytes) {
			http.Error(w, "ask for a number of bytes", http.StatusBadRequest)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bytes[:size])
	}
}
