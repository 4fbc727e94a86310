package inspect

import (
	"bytes"
	"path"
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// otherProxyReader is for a proxy that is recognised, by name and content, and not read:
// where its content begins is a gap.
func otherProxyReader(kind deploy.Kind, names, content string) reader {
	named, begins := regexp.MustCompile(names), regexp.MustCompile(content)
	return reader{
		kind: kind,
		match: func(name string, data []byte) bool {
			return named.MatchString(strings.ToLower(path.Base(name))) && begins.Match(data)
		},
		read: func(s *source) error {
			if at := begins.FindIndex(s.data); at != nil {
				s.gap(kind, "gap.other-proxy", 1+bytes.Count(s.data[:at[0]], []byte("\n")), 1)
			}
			return nil
		},
	}
}
