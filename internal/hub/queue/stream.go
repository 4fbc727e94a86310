package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// The stream of units has at most one message of each, until it is acknowledged.
func unitsConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: job.UnitsStream, Subjects: []string{job.AllUnits},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: 1,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: 1024,
		// The rule above is what keeps a unit from being there twice; one that was taken out
		// and is put in again at once is no duplicate.
		Duplicates: 100 * time.Millisecond,
	}
}

// asUnits says in which way a stream is not the one that is needed.
func asUnits(c jetstream.StreamConfig) error {
	want := unitsConfig()
	for what, same := range map[string]bool{
		"subjects":                slices.Equal(c.Subjects, want.Subjects) && c.SubjectTransform == nil && c.RePublish == nil && c.Mirror == nil && len(c.Sources) == 0,
		"retention":               c.Retention == want.Retention,
		"storage":                 c.Storage == want.Storage && c.PersistMode == want.PersistMode,
		"max_msgs_per_subject":    c.MaxMsgsPerSubject == want.MaxMsgsPerSubject,
		"discard":                 c.Discard == want.Discard && c.DiscardNewPerSubject,
		"limits":                  c.MaxMsgs <= 0 && c.MaxBytes <= 0 && c.MaxAge == 0 && c.MaxConsumers <= 0,
		"no_ack, sealed and deny": !c.NoAck && !c.Sealed && !c.DenyDelete && !c.DenyPurge,
	} {
		if !same {
			return fmt.Errorf("its %s was changed", what)
		}
	}
	return nil
}

// consumerConfig is that of a vantage's units. A worker takes one at a time; how often a
// unit was tried is counted in the ledger, since what the server counts is lost with it.
func consumerConfig(vantage string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: job.Consumer(vantage), FilterSubject: job.UnitsOf(vantage),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: job.Lease, MaxDeliver: -1, MaxAckPending: 4 * maxQueued,
		MaxWaiting: maxConnections, MaxRequestBatch: 1, MaxRequestExpires: 2 * job.Lease,
	}
}

// asConsumer says in which way a consumer is not the one that is needed.
func asConsumer(vantage string, c jetstream.ConsumerConfig) error {
	want := consumerConfig(vantage)
	for what, same := range map[string]bool{
		"filter_subject": c.FilterSubject == want.FilterSubject && len(c.FilterSubjects) == 0,
		"ack":            c.AckPolicy == want.AckPolicy && c.AckWait == want.AckWait && c.MaxAckPending == want.MaxAckPending,
		"max_deliver":    c.MaxDeliver == want.MaxDeliver && len(c.BackOff) == 0,
		"delivery":       c.DeliverPolicy == want.DeliverPolicy && c.InactiveThreshold == 0 && !c.MemoryStorage && c.PauseUntil == nil,
		"limits":         c.MaxWaiting == want.MaxWaiting && c.MaxRequestBatch == want.MaxRequestBatch && c.MaxRequestExpires == want.MaxRequestExpires && c.MaxRequestMaxBytes == 0,
	} {
		if !same {
			return fmt.Errorf("its %s was changed", what)
		}
	}
	return nil
}

// stream returns the stream of units, and makes one that is missing or wrong anew: what was
// in it is in the ledger.
func (q *Queue) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := q.js.Stream(ctx, job.UnitsStream)
	if err == nil {
		wrong := asUnits(s.CachedInfo().Config)
		if wrong == nil {
			return s, nil
		}
		q.said.always("the stream of units is made anew: %v", wrong)
		err = q.js.DeleteStream(ctx, job.UnitsStream)
	}
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, err
	}
	if s, err = q.js.CreateStream(ctx, unitsConfig()); err != nil {
		return nil, err
	}
	return s, asUnits(s.CachedInfo().Config)
}

// consumers sees to it that there is a consumer for each vantage and no other, and returns
// how they stand.
func (q *Queue) consumers(ctx context.Context, s jetstream.Stream, vantages []string) (map[string]*jetstream.ConsumerInfo, error) {
	out := map[string]*jetstream.ConsumerInfo{}
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		switch wrong := asConsumer(info.Name, info.Config); {
		case !slices.Contains(vantages, info.Name):
		case wrong != nil:
			q.said.always("the consumer of %s is made anew: %v", info.Name, wrong)
		default:
			out[info.Name] = info
			continue
		}
		if err := s.DeleteConsumer(ctx, info.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, err
		}
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	for _, v := range vantages {
		if out[v] == nil {
			c, err := s.CreateConsumer(ctx, consumerConfig(v))
			if err != nil {
				return nil, err
			}
			out[v] = c.CachedInfo()
			if err := asConsumer(v, out[v].Config); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
