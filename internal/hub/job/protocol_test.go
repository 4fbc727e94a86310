package job

import (
	"bytes"
	"testing"
)

// FuzzParseUnit: a subject that is a unit is the one of that unit.
func FuzzParseUnit(f *testing.F) {
	for _, s := range []string{"clawsonar.unit.fra.x.1", "clawsonar.unit.fra.x.01", "clawsonar.unit.fra.x.1a", "clawsonar.unit.fra.x.0", "clawsonar.unit.fra.x.18446744073709551616", "x.unit.fra.x.1", "clawsonar.ask.fra.x.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUnit(s)
		if err == nil && (u.Subject() != s || u.K == 0) || err != nil && u != (Unit{}) {
			t.Errorf("%q: %+v %v", s, u, err)
		}
	})
}

// FuzzDecodePart: a part that is taken is the one that EncodePart would have written.
func FuzzDecodePart(f *testing.F) {
	good, err := EncodePart(Part{At: At{Unit{"j", "fra", 3}, 7}, Seq: 2, Data: []byte("\nx\n")})
	if err != nil {
		f.Fatal(err)
	}
	if p, err := DecodePart(good); err != nil || p.Seq != 2 || p.Attempt != 7 || p.K != 3 || string(p.Data) != "\nx\n" {
		f.Fatal(p, err)
	}
	for _, b := range [][]byte{good, good[:len(good)-4], []byte("{}"), []byte("{}\n"), append([]byte("{}\n"), make([]byte, MaxPart+1)...)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePart(b)
		if err != nil {
			return
		}
		if len(p.Data) > MaxPart {
			t.Errorf("%d bytes", len(p.Data))
		}
		again, err := EncodePart(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := DecodePart(again)
		if err != nil || q.At != p.At || q.Seq != p.Seq || !bytes.Equal(q.Data, p.Data) {
			t.Errorf("%+v %+v %v", p, q, err)
		}
	})
}
