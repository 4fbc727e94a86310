package inspect

import (
	"path"
	"regexp"
	"strings"
)

// templateReader says of templates that no other reader takes that they are not judged,
// where they are of a gateway's files.
func templateReader() reader {
	product := regexp.MustCompile(`(?i)openclaw|clawdbot|moltbot|\b18789\b`)
	return reader{
		match: func(name string, data []byte) bool {
			switch strings.ToLower(path.Ext(name)) {
			case ".j2", ".tmpl", ".tpl", ".template":
				return product.MatchString(path.Base(name)) || product.Match(data)
			}
			return false
		},
		read: func(s *source) error {
			s.gap("", "gap.template", 1, 0)
			return nil
		},
	}
}
