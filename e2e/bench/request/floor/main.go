// Command floor is the least that an HTTPS server in Go can do with an admission request: it reads the body, which it does not
// look at, and answers as many bytes as the query asks for.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/request/observe"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	address := flag.String("bind-address", "127.0.0.1:0", "of HTTPS")
	observeAddress := flag.String("observe-bind-address", "127.0.0.1:0", "of /metrics")
	certFile, keyFile := flag.String("tls-cert-file", "", ""), flag.String("tls-private-key-file", "", "")
	flag.Parse()
	certificate, err := tls.LoadX509KeyPair(*certFile, *keyFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := observe.Start(*observeAddress, listener.Addr(), log); err != nil {
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
