package inspect

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// maxEntries caps what is read of a file of lines: of units, the longest have some hundred.
const maxEntries = 20_000

// section is a part of an INI file or unit, and entry one of its settings.
type section struct {
	name    string
	pos     event.Pos
	entries []entry
}

type entry struct {
	name  string
	pos   event.Pos
	value deploy.Value // without white space around it
}

// iniSections reads sections and settings. A line that ends in a backslash goes on in the next
// one, as in units: a line break is left in the value, so that positions in it can be told.
func iniSections(s *source) []section {
	sections := []section{{}}
	count := 0
	lines := strings.Split(string(s.data), "\n")
	for i := 0; i < len(lines) && count < maxEntries; i++ {
		line := strings.TrimSuffix(lines[i], "\r")
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		at := s.pos(i+1, indent+1)
		if text[0] == '[' && strings.HasSuffix(text, "]") {
			sections = append(sections, section{name: text[1 : len(text)-1], pos: at})
			count++
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		from := len(name) + 1
		from += len(line[from:]) - len(strings.TrimLeft(line[from:], " \t"))
		value := deploy.Value{State: deploy.Set, Pos: s.pos(i+1, utf16Len(line[:from])+1)}
		var b strings.Builder
		b.WriteString(line[from:])
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = strings.TrimSuffix(lines[i], "\r")
			b.WriteByte('\n')
			if comment := strings.TrimSpace(line); comment != "" && (comment[0] == '#' || comment[0] == ';') {
				line = `\` // a comment in between is left out, and the setting goes on
			}
			b.WriteString(line)
		}
		value.Text = strings.TrimSpace(b.String())
		last := &sections[len(sections)-1]
		last.entries = append(last.entries, entry{name: strings.TrimSpace(name), pos: at, value: value})
		count++
	}
	return sections
}

// utf16Len is the length of a text in UTF-16 code units.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		if r > 0xffff {
			n++
		}
		n++
	}
	return n
}
