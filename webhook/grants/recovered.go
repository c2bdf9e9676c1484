package grants

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic in a goroutine of this package.
type PanicError struct {
	Cause any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Cause) }

// recovered makes an error of a panic in do. A goroutine needs it that is not the request's own: what is not recovered there ends
// the process, whoever waits for it.
func recovered(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = &PanicError{Cause: cause, Stack: debug.Stack()}
			}
		}()
		return do()
	}
}
