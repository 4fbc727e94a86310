package machine

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// exposition is a text in the format of Prometheus, version 0.0.4. All metrics are
// gauges.
type exposition struct{ bytes.Buffer }

// gauge begins a metric; nothing of another may come before its last sample.
func (e *exposition) gauge(name, help string) *gauge {
	e.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n")
	return &gauge{e, name}
}

type gauge struct {
	e    *exposition
	name string
}

// set writes a sample, with pairs of names and values of labels.
func (g *gauge) set(value float64, labels ...string) {
	g.e.WriteString(g.name)
	for i := 0; i < len(labels); i += 2 {
		g.e.WriteByte(map[bool]byte{true: '{', false: ','}[i == 0])
		g.e.WriteString(labels[i] + `="` + labelValue(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		g.e.WriteByte('}')
	}
	g.e.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// labelValue makes text that others wrote fit between quotes: releases are what targets
// say, and names of watches what a stream says.
func labelValue(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labelText(text))
}

// labelText is text as a label has it, but for what has to be escaped.
func labelText(text string) string { return clean.N(text, 200) }

func (e *exposition) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(e.Bytes())
}

// seconds is a time as Prometheus has it; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// sums adds up numbers by name. Two names can become one when they are cleaned, and a
// sample must not be there twice.
type sums map[string]float64

func (s sums) add(name string, n float64) { s[labelText(name)] += n }

func (s sums) names() []string { return slices.Sorted(maps.Keys(s)) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
