package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// sameLine compares the line of a target with what encoding/json writes, and
// reports whether appendLine could write it.
func sameLine(t rapid.TB, x *Target) bool {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		t.Fatal(err)
	}
	got, ok := appendLine(nil, x)
	if ok && string(got) != want.String() {
		t.Fatalf("got  %swant %s", got, &want)
	}
	return ok
}

// An ordinary line is written, and so is that of a target of which nothing is known.
func TestLine(t *testing.T) {
	x := Target{
		Type: "target", Outcome: "other", Requests: 1, Connections: 1, DurationMS: 4,
		Target: Address{Input: "10.0.0.0/8", Source: "args", IP: "10.1.2.3", Port: 80, URL: "http://10.1.2.3/", Reach: "private", Member: OfRange},
		Front:  &Front{Kind: "nginx", Because: []string{"front.nginx", "a&b<c>"}},
		TLS:    &TLS{},
		Evidence: []Evidence{
			{ID: "root", Request: "GET /", Status: 200, Bytes: 97, SHA256: "ab", Facts: map[string]string{"title": "digest:0", "body": "x", "server": "nginx"}},
			{ID: "b", Request: "GET /b", Error: "no answer in time"},
		},
	}
	if !sameLine(t, &x) || !sameLine(t, &Target{}) {
		t.Error("left to encoding/json")
	}
	x.Front.Because = nil
	sameLine(t, &x)
	// A member that is set, or is added to the type, is written, or the line is
	// left to encoding/json.
	set(t, reflect.ValueOf(&x).Elem(), func() { sameLine(t, &x) })
}

// set sets each member of v, also within its members, calls check, and undoes it.
func set(t *testing.T, v reflect.Value, check func()) {
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	defer v.Set(before)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			set(t, v.Field(i), check)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		check()
		set(t, v.Elem(), check)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		check()
		set(t, v.Index(0), check)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		if elem.Kind() == reflect.String {
			elem.SetString("v")
		}
		v.SetMapIndex(reflect.ValueOf("k"), elem)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint32:
		v.SetUint(7)
	default:
		t.Fatalf("a member of kind %s", v.Kind())
	}
	check()
}

// For anything that a target says, the line is what encoding/json writes, or left to it.
func TestLineOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`), rapid.SampledFrom([]string{"\"", `\`, "\n", "<&>", "##", "\u2028", "\xff", "\x7f"}))
		s := func(name string) string { return word.Draw(t, name) }
		x := Target{
			Target: Address{Input: s("input"), Name: s("name"), URL: s("url")}, Error: s("error"),
			TLS:        rapid.SampledFrom([]*TLS{nil, {}, {Enabled: true}}).Draw(t, "tls"),
			Front:      &Front{Kind: s("kind"), Because: rapid.SliceOfN(word, 0, 3).Draw(t, "because")},
			Evidence:   []Evidence{{ID: s("id"), Request: s("request"), Facts: rapid.MapOfN(word, word, 0, 4).Draw(t, "facts"), Error: s("xerror")}},
			DurationMS: rapid.Int64().Draw(t, "ms"),
		}
		sameLine(t, &x)
	})
}
