package job

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Version is that of records that this program makes and takes.
const Version = 1

// Limits of a job.
const (
	MaxUnits  = 100_000  // of a vantage
	maxRecord = 32 << 20 // bytes
	// MaxSigned is how many bytes a signed record has at most.
	MaxSigned = maxRecord + 100
	maxRate   = 1_000_000 // connections a second
	leastUnit = 4096      // targets
	mostUnit  = 1 << 18
)

// Record says all of a job but its list of targets. A worker does what a record says that
// the hub has signed, within what it is told itself.
type Record struct {
	Version  int       `json:"version"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Vantages []string  `json:"vantages"`
	Units    uint64    `json:"units"`   // of each vantage
	Targets  uint64    `json:"targets"` // of all of them
	Rate     int       `json:"rate"`    // connections a second, of all workers together
	// Recheck is how many silent members of ranges each unit tries again.
	Recheck int    `json:"recheck"`
	Data    string `json:"data"` // see data.Known.Digest
	List    Digest `json:"list"`
	// Plan has what is asked, what may be contacted, who states the right to do so, and the
	// digest of the scan.
	Plan *audit.Plan `json:"plan"`
}

// Digest is that of a packed list.
type Digest struct {
	SHA256 string `json:"sha256"` // hex
	Bytes  int64  `json:"bytes"`
}

// recheck is how many silent targets all units together try again.
const recheck = 500

// Units is into how many units a job of so many targets is divided: of about a minute each,
// so that little is lost with a worker.
func Units(targets uint64, rate int) uint64 {
	each := min(max(uint64(max(rate, 1))*60, leastUnit), mostUnit)
	return min(max(targets/each, 1), MaxUnits)
}

// New makes the record of a job, and its packed list, of a plan and the configuration that
// was made with it. Of units 0 are as many as Units says; data is a digest, see Record.
func New(id, name string, created time.Time, vantages []string, rate int, units uint64, data string, plan *audit.Plan, cfg *scan.Config) (*Record, []byte, error) {
	list, err := Pack(cfg.Space)
	if err != nil {
		return nil, nil, err
	}
	n := min(units, cfg.Space.Len())
	if n == 0 {
		n = Units(cfg.Space.Len(), rate)
	}
	r := &Record{
		Version: Version, ID: id, Name: name, Created: created.UTC().Truncate(time.Millisecond), Vantages: vantages,
		Units: n, Targets: cfg.Space.Len(), Rate: rate, Recheck: int((recheck + n - 1) / n), Data: data,
		List: digest(list), Plan: plan,
	}
	return r, list, r.check()
}

// CheckName refuses what cannot be the name of a job, a watch, a vantage or a worker: they
// stand in subjects of messages.
func CheckName(s string) error {
	return audit.CheckName(s)
}

// check refuses a record that makes no sense.
func (r *Record) check() error {
	for _, name := range append([]string{r.ID, r.Name}, r.Vantages...) {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	switch {
	case len(r.Vantages) == 0:
		return errors.New("no vantage is named")
	case r.Targets == 0:
		return errors.New("there is nothing to scan")
	case r.Units == 0 || r.Units > MaxUnits || r.Units > r.Targets:
		return fmt.Errorf("%d units of %d targets", r.Units, r.Targets)
	case r.Rate < 1 || r.Rate > maxRate:
		return fmt.Errorf("rate-limit: use a number from 1 to %d: so many connections a second all workers of the job make together", maxRate)
	case r.Recheck < 0 || r.Recheck > recheck:
		return fmt.Errorf("%d targets are to be tried again", r.Recheck)
	case r.List.Bytes <= 0 || r.List.Bytes > MaxPacked:
		return fmt.Errorf("a list of %d bytes", r.List.Bytes)
	case r.Plan == nil:
		return errors.New("it does not say what to scan")
	}
	return r.Plan.Check()
}

// domain begins what is signed: the key signs nothing else that could be taken for it.
const domain = "clawsonar job record\x00"

// Sign writes a record: a line with the signature, then JSON.
func Sign(key ed25519.PrivateKey, r *Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(body) > maxRecord {
		return nil, fmt.Errorf("the record of the job has %d bytes, more than %d: name fewer blocks in its scope", len(body), maxRecord)
	}
	sum := ed25519.Sign(key, append([]byte(domain), body...))
	return append([]byte(base64.StdEncoding.EncodeToString(sum)+"\n"), body...), nil
}

// Open reads a record, if the owner of the key has signed it.
func Open(key ed25519.PublicKey, data []byte) (*Record, error) {
	line, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || len(line) > 100 || len(body) > maxRecord || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("not the record of a job")
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(string(line))
	if err != nil || !ed25519.Verify(key, append([]byte(domain), body...), sum) {
		return nil, errors.New("the record of the job is not signed by the hub of these credentials")
	}
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(body, &v); err == nil && v.Version != Version {
		return nil, fmt.Errorf("the record of the job is of version %d, this program knows %d: use the same clawsonar-hub at the hub and at its workers", v.Version, Version)
	}
	var r Record
	if err := strict.JSON("record", body, maxRecord, &r); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return &r, nil
}

// Unit makes the configuration of a unit, with what the builder has of this machine; see
// audit.Plan.Build. The targets are in a space that Unpack has made, and that the caller
// keeps. It lacks only where events go.
func (r *Record) Unit(ctx context.Context, u Unit, own audit.Builder, space *target.Space) (*scan.Config, error) {
	switch {
	case u.Job != r.ID:
		return nil, errors.New("the record is of another job")
	case !slices.Contains(r.Vantages, u.Vantage):
		return nil, fmt.Errorf("the job is not for %.40q, but for %s", u.Vantage, strings.Join(r.Vantages, ", "))
	case u.K == 0 || u.K > r.Units:
		return nil, fmt.Errorf("the job has no unit %d, but %d", u.K, r.Units)
	case space.Len() != r.Targets:
		return nil, fmt.Errorf("the list has %d targets, not %d", space.Len(), r.Targets)
	}
	cfg, err := r.Plan.Build(ctx, own, space)
	if err != nil {
		return nil, err
	}
	cfg.Shard, cfg.Recheck = target.Shard{K: u.K, N: r.Units}, r.Recheck
	cfg.Grace = time.Millisecond // what ends a unit ends it at once
	cfg.Head.Shard = fmt.Sprintf("%d/%d", u.K, r.Units)
	cfg.Head.Watch, cfg.Head.Vantage = Watch(r.Name, u.Vantage), u.Vantage
	return cfg, nil
}

// Named names the first targets of a unit, at most so many, as HOST:PORT. Space is that of
// Unpack.
func (r *Record) Named(space *target.Space, k uint64, most int) (out []string, err error) {
	order, shard := target.NewOrder(space.Len(), uint64(r.Plan.Seed)), target.Shard{K: k, N: r.Units}
	for i := range min(shard.Len(space.Len()), uint64(most)) {
		t, err := space.At(order.At(shard.At(i)))
		if err != nil {
			return out, err
		}
		out = append(out, t.HostPort())
	}
	return out, nil
}
