package admission

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/valyala/fasthttp"
)

// Handle answers POST with an AdmissionReview: with status 200 what Answer answers, and with any other status why it does not.
// What a decision waits for has bounds of its own, and does not end with the connection.
func (h *Handler) Handle(c *fasthttp.RequestCtx) {
	defer h.Metrics.ends(h.Metrics.begins())
	b := takeBuffers()
	defer b.giveBack()
	defer func() {
		if cause := recover(); cause != nil { // or else the process would end
			h.logPanic(context.Background(), cause, debug.Stack())
			h.fail(c, errors.New(ownError))
		}
	}()
	if err := b.readBody(&c.Request); err != nil {
		h.fail(c, err)
		return
	}
	answer, after, err := h.Answer(context.Background(), b.body, b.answer)
	if err != nil {
		h.fail(c, err)
		return
	}
	b.answer = answer
	c.SetContentType("application/json")
	c.SetBody(answer) // a copy
	h.after <- after  // it waits for nothing but its turn, and so need not be waited for
}

// httpError is a request that is no AdmissionReview, and the status that says so.
type httpError struct {
	status  int
	message string
}

func (e *httpError) Error() string { return e.message }

func (h *Handler) fail(c *fasthttp.RequestCtx, err error) {
	status := http.StatusInternalServerError
	var e *httpError
	if errors.As(err, &e) {
		status = e.status
	}
	h.Metrics.decided("HTTP" + fmt.Sprint(status))
	h.Log.Warn("Rejects a request that is no AdmissionReview", keyStatus, status, keyCause, err.Error())
	c.Error(err.Error(), status)
	if status == http.StatusMethodNotAllowed {
		c.Response.Header.Set("Allow", http.MethodPost)
	}
}
