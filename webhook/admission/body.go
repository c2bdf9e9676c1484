package admission

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
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
func (b *buffers) readBody(request *fasthttp.Request) (err error) {
	if !request.Header.IsPost() {
		return &httpError{http.StatusMethodNotAllowed, "send an AdmissionReview by POST"}
	}
	if media, _, _ := strings.Cut(string(request.Header.ContentType()), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return &httpError{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type must be application/json, not %.64q", media)}
	}
	size, stream := request.Header.ContentLength(), request.BodyStream() // a size below 0 is not declared
	switch {
	case stream == nil: // no body at all
	case size > MaxBodyBytes:
		return errTooLarge
	case 0 <= size && size <= takenAtOnce:
		b.body = slices.Grow(b.body, size)[:size]
		_, err = io.ReadFull(stream, b.body)
	default:
		whole := bytes.NewBuffer(b.body)
		_, err = whole.ReadFrom(io.LimitReader(stream, MaxBodyBytes+1))
		b.body = whole.Bytes()
	}
	switch {
	case err != nil:
		return &httpError{http.StatusBadRequest, fmt.Sprintf("read the body: %s", err)}
	case len(b.body) > MaxBodyBytes:
		return errTooLarge
	}
	return nil
}

var errTooLarge = &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", MaxBodyBytes)}
