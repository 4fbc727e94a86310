package job

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

func builder(t testing.TB, change func(*audit.Settings)) audit.Builder {
	t.Helper()
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := audit.Defaults()
	if change != nil {
		change(&s)
	}
	return audit.Builder{Settings: &s, Tool: event.Tool{Name: "test", Version: "1"}, Known: known}
}

func record(t testing.TB, change func(*audit.Settings)) (*Record, []byte, *scan.Config) {
	t.Helper()
	b := builder(t, change)
	plan, cfg, err := b.Plan(t.Context(), "job.yaml:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cfg.Space.Close)
	r, list, err := New("0000000000001", "sweep", time.Now(), []string{"fra", "sgp"}, 100, 0, strings.Repeat("d", 64), plan, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r, list, cfg
}

func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

// TestRecordMakesTheScan: of a signed record and a packed list a worker makes the units of
// the scan that the hub had: each target is in one of them.
func TestRecordMakesTheScan(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	var text strings.Builder
	for i := range 6000 { // more than a space keeps in memory
		fmt.Fprintf(&text, "10.1.%d.%d:%d\n", i/250, i%250, 8000+i%3)
	}
	text.WriteString("gw.example\nhttps://gw.example/x\n10.9.0.0/22\n")
	if err := os.WriteFile(list, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r, packed, cfg := record(t, func(s *audit.Settings) {
		s.Targets, s.Lists, s.Exclude, s.Seed = []string{"10.0.0.0/20", "fd00::/120"}, []string{list}, []string{"10.0.0.7"}, 5
	})
	signed, err := Sign(key(1), r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(key(1).Public().(ed25519.PublicKey), signed)
	if err != nil {
		t.Fatal(err)
	}
	space, err := got.Unpack(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	if want := r.Targets / 6000; r.Units != want || r.Units < 3 || r.Recheck != int((500+want-1)/want) {
		t.Errorf("%d units of %d targets, %d tried again in each", r.Units, r.Targets, r.Recheck)
	}
	order := target.NewOrder(cfg.Space.Len(), cfg.Seed)
	seen := map[uint64]bool{}
	for k := uint64(1); k <= got.Units; k++ {
		c, err := got.Unit(t.Context(), Unit{got.ID, "sgp", k}, builder(t, nil), space)
		if err != nil {
			t.Fatal(err)
		}
		if c.Head.Config != cfg.Head.Config || c.Head.Watch != "sweep@sgp" || c.Head.Vantage != "sgp" || c.Head.Shard != fmt.Sprintf("%d/%d", k, got.Units) || c.Recheck != r.Recheck {
			t.Errorf("head %+v", c.Head)
		}
		again := target.NewOrder(c.Space.Len(), c.Seed)
		for i := range c.Targets() {
			at := c.Shard.At(i)
			a, err := cfg.Space.At(order.At(at))
			b, err2 := c.Space.At(again.At(at))
			if a != b || err != nil || err2 != nil || seen[at] {
				t.Fatalf("unit %d, target %d: %+v, at the hub %+v: %v %v", k, i, b, a, err, err2)
			}
			seen[at] = true
		}
	}
	if uint64(len(seen)) != cfg.Space.Len() {
		t.Errorf("%d of %d targets are in units", len(seen), cfg.Space.Len())
	}
	for name, u := range map[string]Unit{"vantage": {got.ID, "nyc", 1}, "job": {"x", "sgp", 1}, "unit 0": {got.ID, "sgp", 0}, "no such unit": {got.ID, "sgp", got.Units + 1}} {
		if _, err := got.Unit(t.Context(), u, builder(t, nil), space); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

// TestOpenRefuses: whatever the hub has not signed, or this program does not know.
func TestOpenRefuses(t *testing.T) {
	r, _, _ := record(t, func(s *audit.Settings) { s.Targets = []string{"10.0.0.0/24"} })
	public := key(1).Public().(ed25519.PublicKey)
	signed, err := Sign(key(1), r)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(signed), "\n")
	seal := func(domain, body string) string {
		return base64.StdEncoding.EncodeToString(ed25519.Sign(key(1), []byte(domain+body))) + "\n" + body
	}
	with := func(change func(map[string]any)) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return seal(domain, string(text))
	}
	if _, err := Open(public, []byte(with(func(map[string]any) {}))); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ data, want string }{
		"nothing":         {"", "not the record"},
		"other key":       {func() string { b, _ := Sign(key(2), r); return string(b) }(), "not signed by the hub"},
		"changed":         {strings.Replace(string(signed), "10.0", "10.1", 1) + " ", "not signed"},
		"other domain":    {seal("", body), "not signed"},
		"version":         {with(func(m map[string]any) { m["version"] = 2; m["new"] = 1 }), "is of version 2, this program knows 1"},
		"unknown":         {with(func(m map[string]any) { m["new"] = 1 }), `unknown key "new"`},
		"unknown of plan": {with(func(m map[string]any) { m["plan"].(map[string]any)["proxy"] = "x" }), `unknown key "proxy"`},
		"no plan":         {with(func(m map[string]any) { delete(m, "plan") }), "does not say what"},
		"units":           {with(func(m map[string]any) { m["units"] = 100_001 }), "100001 units"},
		"no units":        {with(func(m map[string]any) { m["units"] = 0 }), "0 units"},
		"rate":            {with(func(m map[string]any) { m["rate"] = 0 }), "rate-limit"},
		"vantage":         {with(func(m map[string]any) { m["vantages"] = []string{"fra.>"} }), "is no name"},
		"list":            {with(func(m map[string]any) { m["list"] = map[string]any{"sha256": "", "bytes": MaxPacked + 1} }), "a list of"},
		"twice":           {seal(domain, body+body), "follows"},
	} {
		if _, err := Open(public, []byte(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnpackRefuses: a list that is not that of the record makes no space.
func TestUnpackRefuses(t *testing.T) {
	r, packed, _ := record(t, func(s *audit.Settings) { s.Targets = []string{"10.0.0.0/24", "gw.example"} })
	pack := func(lines string) []byte {
		var out bytes.Buffer
		z, _ := zstd.NewWriter(&out)
		z.Write([]byte(lines))
		z.Close()
		return out.Bytes()
	}
	for name, list := range map[string][]byte{
		"cut": packed[:len(packed)-1], "more": append(bytes.Clone(packed), 0), "none": nil, "other": pack(`{"first":"10.0.0.1","ports":[1]}` + "\n"),
	} {
		if s, err := r.Unpack(bytes.NewReader(list)); err == nil {
			s.Close()
			if name != "more" { // what follows the list is not read
				t.Errorf("%s: taken", name)
			}
		}
	}
	for name, lines := range map[string]string{
		"unknown": `{"first":"10.0.0.1","ports":[1],"proxy":"x"}`, "no ports": `{"first":"10.0.0.1"}`, "nothing": `{"ports":[1]}`,
		"backwards": `{"first":"10.0.0.2","last":"10.0.0.1","ports":[1]}`, "two families": `{"first":"10.0.0.2","last":"::1","ports":[1]}`,
		"no address": `{"first":"x","ports":[1]}`, "last alone": `{"last":"10.0.0.1","name":"x","ports":[1]}`,
		"bomb": `{"first":"10.0.0.1","ports":[1]}` + "\n" + strings.Repeat(" ", maxEntry+1),
	} {
		list := pack(lines)
		bad := *r
		bad.List, bad.Targets = digest(list), 1
		if s, err := bad.Unpack(bytes.NewReader(list)); err == nil {
			s.Close()
			t.Errorf("%s: taken", name)
		}
	}
}

// TestUnits: a unit is about a minute at the job's rate.
func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		targets uint64
		rate    int
		want    uint64
	}{
		{1, 10, 1}, {4096, 10, 1}, {8191, 10, 1}, {8192, 10, 2}, {1 << 24, 4000, 69}, {1 << 24, 1 << 20, 64}, {1 << 40, 1, 100_000},
	} {
		if got := Units(tt.targets, tt.rate); got != tt.want {
			t.Errorf("%d targets at %d a second: %d units, want %d", tt.targets, tt.rate, got, tt.want)
		}
	}
}

func credentials(t *testing.T) *Credentials {
	t.Helper()
	c, public, err := NewCredentials("tls://127.0.0.1:8791", "fra", "worker-1", Pin([]byte("x")), key(1).Public().(ed25519.PublicKey))
	if err != nil || !strings.HasPrefix(public, "U") {
		t.Fatal(public, err)
	}
	return c
}

// TestCredentials: what was written is read, by its owner alone, and no error shows the seed.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	c := credentials(t)
	file := filepath.Join(dir, "w.yaml")
	if err := c.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(file); err == nil {
		t.Error("a file is written over")
	}
	got, err := ReadCredentials(file)
	if err != nil || *got != *c {
		t.Fatalf("%+v %v", got, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadCredentials(file); err == nil || !strings.Contains(err.Error(), "others may read it") {
				t.Errorf("mode %o: %v", mode, err)
			}
		}
	}
	for name, change := range map[string][2]string{
		"hub": {"tls://127.0.0.1:8791", "http://127.0.0.1:8791"}, "port": {"tls://127.0.0.1:8791", "tls://127.0.0.1"}, "vantage": {"vantage: fra", "vantage: fra.*"},
		"worker": {"worker-1", "worker 1"}, "seed": {c.Seed, c.Seed[:len(c.Seed)-1]}, "pin": {c.Pin, c.Pin[2:]}, "signer": {c.Signer, c.Signer[4:]},
		"unknown": {"vantage:", "vantages:"}, "user": {"tls://", "tls://a:b@"},
	} {
		other := filepath.Join(dir, name)
		if err := os.WriteFile(other, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCredentials(other); err == nil || strings.Contains(err.Error(), c.Seed[:20]) || !strings.HasPrefix(err.Error(), other) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	r, _, _ := record(f, func(s *audit.Settings) { s.Targets = []string{"10.0.0.0/24"} })
	signed, err := Sign(key(1), r)
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(signed, []byte("\n"))
	f.Add(body)
	public := key(1).Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := ed25519.Sign(key(1), append([]byte(domain), body...))
		r, err := Open(public, append([]byte(base64.StdEncoding.EncodeToString(sum)+"\n"), body...))
		if err == nil && r.check() != nil {
			t.Error("a record that makes no sense is taken")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte(`{"first":"10.0.0.1","last":"10.0.0.9","ports":[1,2],"source":"a:1"}` + "\n" + `{"name":"x","listed":true}`))
	f.Fuzz(func(t *testing.T, lines []byte) {
		var out bytes.Buffer
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		z.Write(lines)
		z.Close()
		sum := sha256.Sum256(out.Bytes())
		r := &Record{Targets: 18, List: Digest{fmt.Sprintf("%x", sum), int64(out.Len())}}
		space, err := r.Unpack(&out)
		if err != nil {
			return
		}
		defer space.Close()
		for i := range space.Len() {
			if at, err := space.At(i); err != nil || at.Addr.Port() == 0 {
				t.Errorf("target %d: %+v %v", i, at, err)
			}
		}
	})
}
