// Package exit has the exit codes of our programs, and errors that carry one.
package exit

import (
	"errors"
	"fmt"
	"io"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// The codes, the same for every command and format. 3 and 4 come from the policy package.
const (
	OK          = 0
	Failed      = 1   // failed while running
	Usage       = 2   // usage, configuration or input error
	Interrupted = 130 // stopped by the user; what was found is in the output
)

// Error carries an exit code; Err may be nil when the error was printed already.
type Error struct {
	Code int
	Err  error
}

func (e *Error) Error() string { return fmt.Sprint(e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Wrong marks an error as the user's: exit code 2. nil stays nil.
func Wrong(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Usage, err}
}

// Code prints an error, a line for each of those that were joined to it, which begins with
// the name of the program; and returns the exit code for it.
func Code(program string, err error, stderr io.Writer) int {
	if err == nil {
		return OK
	}
	code := Failed
	var e *Error
	if errors.As(err, &e) {
		code = e.Code
	}
	for _, err := range each(err) {
		if errors.As(err, &e) {
			err = e.Err
		}
		if err == nil {
			continue // printed already
		}
		// An error may quote a list, file or name that somebody else has written.
		fmt.Fprintf(stderr, "%s: %s\n", program, clean.Text(err.Error()))
	}
	return code
}

// each returns the errors that were joined to one.
func each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, each(e)...)
	}
	return out
}
