package admission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// MaxBodyBytes is the largest body that the server reads: the API server's limit for a request (3 MiB,
// k8s.io/apiserver pkg/server, DefaultMaxRequestBodyBytes) plus the review around it.
const MaxBodyBytes = 3<<20 + 64<<10

const (
	// defaultTimeout and maxTimeout are those of a MutatingWebhookConfiguration.
	defaultTimeout = 10 * time.Second
	maxTimeout     = 30 * time.Second
	// maxReserve is the most of the timeout that is reserved for sending the answer.
	maxReserve = 500 * time.Millisecond
)

// ServeHTTP answers a POSTed AdmissionReview with status 200 and a review, or with another status and the reason. On
// another status, the API server does what the entry's failurePolicy says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.respond(w, r, func(ctx context.Context, body []byte) ([]byte, error) {
		return h.answer(ctx, body, r.URL.Path == DefaultsPath)
	})
}

// answerer returns the review that answers the one in body.
type answerer func(ctx context.Context, body []byte) ([]byte, error)

func (h *Handler) respond(w http.ResponseWriter, r *http.Request, by answerer) {
	defer h.Metrics.ends(h.Metrics.begins())
	answer, err := h.serve(w, r, by)
	if err != nil {
		h.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(answer) //nolint:gosec // JSON, which no browser renders; the client may be gone
}

// serve never panics: on a panic, net/http closes the connection without an answer.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, by answerer) (answer []byte, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			h.logPanic(r.Context(), cause, debug.Stack())
			err = errors.New(ownError)
		}
	}()
	timeout, err := decisionTimeout(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	body, release, err := h.readBody(ctx, w, r)
	if err != nil {
		return nil, err
	}
	defer release()
	complete(ctx)
	return by(ctx, body)
}

// decisionTimeout returns how long a decision may take: the API server's timeout ("?timeout=5s") without the part
// that is reserved for the answer, so that the message of a slow decision still reaches the person.
func decisionTimeout(r *http.Request) (time.Duration, error) {
	timeout := defaultTimeout
	if text := r.URL.Query().Get("timeout"); text != "" {
		var err error
		if timeout, err = time.ParseDuration(text); err != nil || timeout <= 0 {
			return 0, &httpError{http.StatusBadRequest,
				fmt.Sprintf("timeout must be a duration above 0, not %.32q", text)}
		}
	}
	timeout = min(timeout, maxTimeout)
	return timeout - min(timeout/10, maxReserve), nil
}

// readBody reads the body of a request. The memory of a large one counts against the budget until it is released.
func (h *Handler) readBody(ctx context.Context, w http.ResponseWriter,
	r *http.Request) (body []byte, release func(), err error) {
	if r.Method != http.MethodPost {
		return nil, nil, &httpError{http.StatusMethodNotAllowed, "send an AdmissionReview by POST"}
	}
	contentType := r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return nil, nil, &httpError{http.StatusUnsupportedMediaType,
			fmt.Sprintf("Content-Type must be application/json, not %.64q", contentType)}
	}
	connection := http.NewResponseController(w)
	var mine *share
	evicted := false
	release = func() {}
	cost := r.ContentLength // the memory that the body needs
	if cost < 0 {
		cost = 2 * MaxBodyBytes // io.ReadAll takes up to twice as much as it reads
	}
	switch {
	case r.ContentLength > MaxBodyBytes:
		return nil, nil, errTooLarge
	case cost > smallBody:
		var ok bool
		if mine, ok = h.bodies.take(ctx, cost, func(end time.Time) { _ = connection.SetReadDeadline(end) }); !ok {
			return nil, nil, errBusy
		}
		release = func() { h.bodies.release(mine) }
	}
	body, err = read(http.MaxBytesReader(w, r.Body, MaxBodyBytes), r.ContentLength)
	if mine != nil {
		evicted = h.bodies.read(mine)
	}
	if err != nil {
		release()
		return nil, nil, readError(err, evicted)
	}
	_ = connection.SetReadDeadline(time.Time{}) // the deadline was for the body; the decision has its own
	return body, release, nil
}

// readError returns the answer for a body that could not be read.
func readError(err error, evicted bool) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return &httpError{http.StatusBadRequest, fmt.Sprintf("read the body: %s", err)}
	case evicted:
		return errBusy
	}
	return &httpError{http.StatusRequestTimeout, fmt.Sprintf("the body did not arrive within %s", readTimeout)}
}

// read reads a body of the declared size; a size below 0 is unknown.
func read(from io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(from)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(from, body)
	return body, err
}

// httpError is an answer that is not a review: an HTTP status and a message.
type httpError struct {
	status  int
	message string
}

func (e *httpError) Error() string { return e.message }

var (
	errTooLarge = &httpError{http.StatusRequestEntityTooLarge,
		fmt.Sprintf("the body is larger than %d bytes", MaxBodyBytes)}
	errBusy = &httpError{http.StatusServiceUnavailable, "too many large requests at once; try again"}
)

// fail answers with an error, and closes the connection: an API server has no reason to send such a request.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var e *httpError
	if errors.As(err, &e) {
		status = e.status
	}
	h.Metrics.decided("HTTP" + strconv.Itoa(status))
	h.Log.Warn("Rejected a request that cannot be answered", keyStatus, status, keyCause,
		truncate(err.Error(), maxMessage))
	w.Header().Set("Connection", "close")
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1") // client-go tries again
	}
	http.Error(w, truncate(err.Error(), maxMessage), status)
}
