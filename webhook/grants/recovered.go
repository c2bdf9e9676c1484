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

// recovered turns a panic in do into an error. Every goroutine that a request starts needs it, because a panic there
// would end the process.
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
