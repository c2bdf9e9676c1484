package admission

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// buffers hold a request's body and the answer to it, one after another for many requests: what a garbage collector has to do for
// a large pod would else cost more than the pod. Nothing that outlives a request may refer to them; the scan makes copies.
type buffers struct{ body, answer []byte }

var pool = sync.Pool{New: func() any { return &buffers{} }}

// takenAtOnce is the largest body that memory is taken for as soon as its size is declared: enough for most pods.
const takenAtOnce = 128 << 10

func takeBuffers() *buffers { return pool.Get().(*buffers) }

// giveBack keeps large buffers too: for a garbage collector they are the dearest. Those that nobody uses it frees by itself.
func (b *buffers) giveBack() {
	b.body, b.answer = b.body[:0], b.answer[:0]
	pool.Put(b)
}

// readBody reads a body, at once where its size is declared. A large one is read as it comes: whoever declares a size, and sends
// nothing, is not to hold as much memory.
func (b *buffers) readBody(w http.ResponseWriter, r *http.Request) (err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &httpError{http.StatusMethodNotAllowed, "send an AdmissionReview by POST"}
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return &httpError{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type must be application/json, not %.64q", media)}
	}
	if r.ContentLength > MaxBodyBytes {
		return tooLarge(MaxBodyBytes)
	}
	if 0 <= r.ContentLength && r.ContentLength <= takenAtOnce {
		b.body = slices.Grow(b.body[:0], int(r.ContentLength))[:r.ContentLength]
		_, err = io.ReadFull(r.Body, b.body)
	} else {
		whole := bytes.NewBuffer(b.body[:0])
		_, err = whole.ReadFrom(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
		b.body = whole.Bytes()
	}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return tooLarge(limit.Limit)
	case err != nil:
		return &httpError{http.StatusBadRequest, fmt.Sprintf("read the body: %s", err)}
	}
	return nil
}

func tooLarge(limit int64) error {
	return &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit)}
}
