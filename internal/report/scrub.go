package report

import (
	"cmp"
	"html/template"
	"reflect"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// What the formats for people take of a stream. A scan records far less; the
// limits hold against foreign files.
const (
	textLimit = 2000 // runes of a string
	listLimit = 1000 // members of a list
)

// scrub returns a copy of a target in which every string is clean, see clean.N,
// and every list and string capped. By reflection, so that a new field is clean
// from its first day.
func scrub(t *event.Target) *event.Target {
	out := new(event.Target)
	scrubValue(reflect.ValueOf(out).Elem(), reflect.ValueOf(t).Elem())
	for i := range out.Findings {
		out.Findings[i].Severity = cmp.Or(out.Findings[i].Severity, event.Ungraded)
		out.Findings[i].Diff = cleanDiff(t.Findings[i].Diff)
	}
	for i := range out.Advisories {
		out.Advisories[i].Severity = cmp.Or(out.Advisories[i].Severity, event.Ungraded)
	}
	return out
}

// Clean returns a copy of v in which every string is clean and capped, as are the
// lists. What is HTML already stays as it is.
func Clean[T any](v T) T {
	var out T
	scrubValue(reflect.ValueOf(&out).Elem(), reflect.ValueOf(&v).Elem())
	return out
}

func scrubValue(to, from reflect.Value) {
	if from.Type() == reflect.TypeFor[template.HTML]() {
		to.Set(from)
		return
	}
	switch from.Kind() {
	case reflect.String:
		to.SetString(clean.N(from.String(), textLimit))
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			scrubValue(to.Elem(), from.Elem())
		}
	case reflect.Interface:
		if !from.IsNil() {
			v := reflect.New(from.Elem().Type()).Elem()
			scrubValue(v, from.Elem())
			to.Set(v)
		}
	case reflect.Struct:
		if from.NumField() > 0 && !from.Type().Field(0).IsExported() { // a time, an address
			to.Set(from)
			return
		}
		for i := range from.NumField() {
			scrubValue(to.Field(i), from.Field(i))
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		n := min(from.Len(), listLimit)
		to.Set(reflect.MakeSlice(from.Type(), n, n))
		for i := range n {
			scrubValue(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMap(from.Type()))
		for _, key := range from.MapKeys() {
			if to.Len() == listLimit {
				return
			}
			k, v := reflect.New(key.Type()).Elem(), reflect.New(from.Type().Elem()).Elem()
			scrubValue(k, key)
			scrubValue(v, from.MapIndex(key))
			to.SetMapIndex(k, v)
		}
	default:
		to.Set(from)
	}
}
