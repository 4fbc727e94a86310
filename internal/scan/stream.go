package scan

import (
	"context"
	"errors"
	"math"

	"github.com/clawsonar/clawsonar/internal/target"
)

// StreamError says that what Config.Stream reads ended the run early.
type StreamError struct{ err error }

func (e *StreamError) Error() string { return e.err.Error() }
func (e *StreamError) Unwrap() error { return e.err }

// stream probes targets as they come.
func (e *engine) stream(ctx, probing context.Context) (complete bool, err error) {
	targets := make(chan target.Target)
	stopped := errors.New("stopped")
	var entry uint64
	reading, stop := context.WithCancel(ctx)
	defer stop()
	read := make(chan error, 1)
	// Not waited for after an interrupt, nor when results cannot be written: it may sit
	// in a read of stdin.
	go func() {
		defer close(targets)
		read <- e.cfg.Stream(func(spec target.Spec) error {
			var s target.Space
			if err := s.Add(spec); err != nil {
				return err
			}
			order := target.NewOrder(s.Len(), e.cfg.Seed)
			for i := range s.Len() {
				t, err := s.At(order.At(i))
				if err != nil {
					return err
				}
				t.Entry = entry
				select {
				case targets <- t:
				case <-reading.Done():
					return stopped
				}
			}
			entry++
			return nil
		})
	}()
	err = e.work(reading, math.MaxUint64, func() (bool, error) {
		select {
		case t, ok := <-targets:
			if !ok || reading.Err() != nil {
				return false, nil
			}
			if _, err := e.target(probing, t, new(bool)); err != nil {
				// Nobody wants the next one, which may be long in coming.
				stop()
				return false, err
			}
			return true, nil
		case <-reading.Done():
			return false, nil
		}
	})
	if err == nil {
		err = e.again(ctx, probing)
	}
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	if err := <-read; err != nil {
		return false, &StreamError{err}
	}
	return true, nil
}
