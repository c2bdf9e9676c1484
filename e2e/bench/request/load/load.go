// Package load sends the same request again and again, as the API server sends it: over connections that stay open,
// HTTP/1.1 in TLS 1.3, one request at a time on each.
package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// Job is one turn at a server.
type Job struct {
	URL      string        `json:"url"`
	CA       string        `json:"ca"`   // file
	Body     string        `json:"body"` // file
	Clients  int           `json:"clients"`
	Duration time.Duration `json:"duration"`
}

// Result is what came of it.
type Result struct {
	Error     string          `json:"error,omitempty"`
	Elapsed   time.Duration   `json:"elapsed"`
	Latencies []time.Duration `json:"latencies"`
	Answer    []byte          `json:"answer"` // the last one
}

// Serve reads jobs and writes a result for each, as JSON, until the input ends.
func Serve(in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	pool := pool{}
	for {
		var job Job
		if err := decoder.Decode(&job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := pool.run(job)
		if err != nil {
			result.Error = err.Error()
		}
		if err := encoder.Encode(result); err != nil {
			return err
		}
	}
}

// pool keeps the connections to each server.
type pool map[string][]*connection

func (p pool) run(job Job) (Result, error) {
	body, err := os.ReadFile(job.Body)
	if err != nil {
		return Result{}, err
	}
	request, err := http.NewRequest(http.MethodPost, job.URL, bytes.NewReader(body))
	if err != nil {
		return Result{}, err
	}
	// As client-go sets them.
	for name, value := range map[string]string{
		"Accept": "application/json, */*", "Content-Type": "application/json", "User-Agent": "kube-apiserver-admission",
		"Accept-Encoding": "gzip",
	} {
		request.Header.Set(name, value)
	}
	var wire bytes.Buffer // encoded once: what is measured is the server
	if err := request.Write(&wire); err != nil {
		return Result{}, err
	}
	for len(p[request.URL.Host]) < job.Clients {
		c, err := connect(request.URL.Host, job.CA)
		if err != nil {
			return Result{}, err
		}
		p[request.URL.Host] = append(p[request.URL.Host], c)
	}
	each := make([][]time.Duration, job.Clients)
	var group errgroup.Group
	start := time.Now()
	for n, c := range p[request.URL.Host][:job.Clients] {
		each[n] = make([]time.Duration, 0, 1<<16)
		group.Go(func() error {
			for last := start; last.Sub(start) < job.Duration; {
				if err := c.ask(wire.Bytes(), request); err != nil {
					return err
				}
				now := time.Now()
				each[n] = append(each[n], now.Sub(last))
				last = now
			}
			return nil
		})
	}
	err = group.Wait()
	result := Result{Elapsed: time.Since(start), Answer: p[request.URL.Host][0].answer.Bytes()}
	for _, latencies := range each {
		result.Latencies = append(result.Latencies, latencies...)
	}
	return result, err
}

type connection struct {
	tls    *tls.Conn
	reader *bufio.Reader
	answer bytes.Buffer
}

func connect(address, ca string) (*connection, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, err
	}
	return &connection{tls: c, reader: bufio.NewReader(c)}, nil
}

// ask sends one request and reads its answer.
func (c *connection) ask(wire []byte, request *http.Request) error {
	if _, err := c.tls.Write(wire); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, request)
	if err != nil {
		return err
	}
	c.answer.Reset()
	if _, err := c.answer.ReadFrom(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || response.Close {
		return fmt.Errorf("%s answers %s (closes the connection: %t): %.500s", request.URL, response.Status,
			response.Close, &c.answer)
	}
	return response.Body.Close()
}
