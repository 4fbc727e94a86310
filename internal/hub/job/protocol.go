// Package job is what the hub and its workers share: the record of a job, how it is
// divided into units, and the messages by which units are handed out and come back.
package job

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Subjects of messages. A worker may publish and subscribe to nothing but what
// Permissions lists.
const (
	prefix = "clawsonar."

	// UnitsStream is the work queue; its messages have the subjects of Unit.Subject.
	UnitsStream = "CLAWSONAR_UNITS"
	// AllUnits matches them all.
	AllUnits = prefix + "unit.>"
	// AllRequests matches what workers ask the hub.
	AllRequests = prefix + "ask.>"
)

// UnitsOf matches the units of a vantage.
func UnitsOf(vantage string) string { return prefix + "unit." + vantage + ".>" }

// Consumer is the durable consumer of a vantage's units.
func Consumer(vantage string) string { return vantage }

// Control is where the hub tells the workers of a vantage of a job that pauses, goes on or
// stops, as Ordered.
func Control(vantage string) string { return prefix + "control." + vantage }

// Watch is the name of the watch of what workers at a vantage saw, in streams and in the
// history. No watch of a configuration has one with an @.
func Watch(name, vantage string) string { return name + "@" + vantage }

// OfWatch is the name that Watch was made of; a name without a vantage as it is.
func OfWatch(watch string) string {
	name, _, _ := strings.Cut(watch, "@")
	return name
}

// Inbox is the prefix of the subjects at which a worker gets its replies.
func Inbox(worker string) string { return "_INBOX." + worker }

// Verb is a kind of request.
type Verb string

// The requests of a worker, and what they carry and get.
const (
	AskRecord Verb = "record" // Fetch gets the signed record of a job
	AskList   Verb = "list"   // Fetch gets a piece of its packed list of targets
	AskBegin  Verb = "begin"  // Begin gets Begun
	AskGrant  Verb = "grant"  // Want gets Grant
	AskPart   Verb = "part"   // see EncodePart; gets Ordered
	AskDone   Verb = "done"   // Done gets Ordered
	AskFail   Verb = "fail"   // Fail gets Ordered
	AskIdle   Verb = "idle"   // Idle gets Ordered
)

// Verbs are all requests.
func Verbs() []Verb {
	return []Verb{AskRecord, AskList, AskBegin, AskGrant, AskPart, AskDone, AskFail, AskIdle}
}

// Ask is the subject of a worker's request.
func Ask(vantage, worker string, v Verb) string {
	return prefix + "ask." + vantage + "." + worker + "." + string(v)
}

// Asked reads such a subject. Permissions see to it that vantage and worker are true.
func Asked(subject string) (vantage, worker string, v Verb, err error) {
	p := strings.Split(subject, ".")
	if len(p) != 5 || p[0]+"." != prefix || p[1] != "ask" {
		return "", "", "", fmt.Errorf("%.100q is no request", subject)
	}
	return p[2], p[3], Verb(p[4]), nil
}

// Unit is a part of a job: the k-th of the shards into which each vantage has it divided,
// from 1 on.
type Unit struct {
	Job     string `json:"job"` // Record.ID
	Vantage string `json:"vantage"`
	K       uint64 `json:"k"`
}

// Subject is that of its message, which has no other content.
func (u Unit) Subject() string {
	return fmt.Sprintf("%sunit.%s.%s.%d", prefix, u.Vantage, u.Job, u.K)
}

// ParseUnit reads a subject.
func ParseUnit(subject string) (u Unit, err error) {
	p := strings.Split(subject, ".")
	if len(p) == 5 {
		u.Vantage, u.Job = p[2], p[3]
		u.K, err = strconv.ParseUint(p[4], 10, 64)
	}
	if err != nil || u.K == 0 || u.Subject() != subject {
		return Unit{}, fmt.Errorf("%.100q is no unit", subject)
	}
	return u, nil
}

// Order is what a worker is to do with a unit.
type Order string

// The orders. To all but Run and Pause the answer is to send nothing more for the unit.
const (
	Run    Order = "run"
	Pause  Order = "pause"  // keep the unit, open no connection, ask again
	Drop   Order = "drop"   // the unit is done or given up, or its job has ended: acknowledge it
	Lost   Order = "lost"   // another attempt at the unit has begun: drop it, do not acknowledge
	Refuse Order = "refuse" // not for this worker: give it back with a delay
)

// Limits of messages.
const (
	MaxPayload  = 1 << 20     // bytes of any message
	MaxPart     = 512 << 10   // bytes of a packed part
	MaxUnpacked = 16 << 20    // bytes of its lines
	MaxGrant    = time.Second // how long a grant counts from when it was asked for
	MaxAttempts = 5           // that neither end nor are given back, until a unit is given up
)

// Lease is how long a unit is a worker's after it was last heard of, and Beat how often it
// says that it is at work. For so long the last units of a job wait for a worker that was
// killed, so a lease is not longer than it has to be: in it a worker sees that its connection
// is dead (after half of it) and makes another one (5 s at most), and a hub is started again,
// without the loss of what was begun; two beats may be lost.
const (
	Lease = 30 * time.Second
	Beat  = Lease / 4
)

// Fetch asks for bytes of a record or a list, from an offset on. The reply is the bytes
// themselves, at most MaxPart of them; an empty one is the end.
type Fetch struct {
	Job    string `json:"job"`
	Offset int64  `json:"offset"`
}

// Begin says that a worker has taken a unit.
type Begin struct {
	Unit
	Version string `json:"version"` // of the program
	Data    string `json:"data"`    // see Record.Data
}

// Begun answers it. Attempt names this attempt in all that follows.
type Begun struct {
	Ordered
	Attempt int64 `json:"attempt"`
}

// At is a unit that is being worked at.
type At struct {
	Unit
	Attempt int64 `json:"attempt"`
}

// Want asks for connections, at most what one second may have; with N 0 it only says that
// the worker is at work.
type Want struct {
	At
	N int `json:"n"`
}

// Grant allows N connections: evenly from After on, counted from when the reply arrives,
// until After+Over. What is not used by then is lost, and so is a grant that arrives later
// than MaxGrant after it was asked for. The hub keeps a request for up to some tenths of a
// second, until it is the worker's turn; to run with N 0 means to ask again.
type Grant struct {
	Ordered
	N     int   `json:"n"`
	After int64 `json:"after_us"` // microseconds
	Over  int64 `json:"over_us"`
}

// Done says that a unit is done: its stream, from the scan to the summary, is in so many
// parts, which the hub has.
type Done struct {
	At
	Parts int `json:"parts"`
}

// Fail says that a worker cannot do a unit. Back means that there is nothing wrong with the
// unit: the worker is being stopped, or may do less than before. It is no attempt then.
type Fail struct {
	At
	Error string `json:"error"`
	Back  bool   `json:"back,omitempty"`
}

// Idle says that a worker is there and has nothing to do.
type Idle struct {
	Version string `json:"version"` // of the program
}

// Ordered is an order and, for people, its reason.
type Ordered struct {
	Job   string `json:"job,omitempty"` // of one at Control
	Order Order  `json:"order"`
	Why   string `json:"why,omitempty"`
}

// Part is a piece of a unit's stream: whole lines of JSON, packed with zstd.
type Part struct {
	At
	Seq  int    `json:"seq"` // from 0 on
	Data []byte `json:"-"`
}

// EncodePart makes a message: a line of JSON, then the data.
func EncodePart(p Part) ([]byte, error) {
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), p.Data...), nil
}

// DecodePart reads one.
func DecodePart(b []byte) (p Part, err error) {
	head, data, ok := strings.Cut(string(b), "\n")
	if !ok || len(data) > MaxPart {
		return p, fmt.Errorf("a part of %d bytes: a line of JSON and at most %d bytes are expected", len(b), MaxPart)
	}
	if err := json.Unmarshal([]byte(head), &p); err != nil {
		return p, fmt.Errorf("part: %w", err)
	}
	p.Data = []byte(data)
	return p, nil
}
