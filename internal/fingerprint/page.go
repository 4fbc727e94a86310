package fingerprint

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Page holds the facts of an HTML page that a matcher can read. They are the
// target's words: hostile, but capped.
type Page struct {
	Title      string
	Attributes map[string]string // of the html element
	Elements   []string          // custom elements (names with a hyphen), each once
	Assets     []string          // base names of the scripts and styles under assets/, each once
}

// Caps on what one page can make us keep.
const (
	maxText   = 512 // bytes of a title or attribute
	maxThings = 64  // attributes, elements, assets
)

// ParsePage reads the facts of a page. It never fails: what cannot be read is
// not there.
func ParsePage(body []byte) Page { return parse(body, false) }

// parse is ParsePage, up to the title if no more is wanted.
func parse(body []byte, titleOnly bool) Page {
	p := Page{Attributes: map[string]string{}}
	z := html.NewTokenizer(bytes.NewReader(body))
	inTitle := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return p
		case html.TextToken:
			if inTitle && p.Title == "" {
				p.Title = capped(strings.Join(strings.Fields(string(z.Text())), " "))
				if titleOnly && p.Title != "" {
					return p
				}
			}
		case html.EndTagToken:
			inTitle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			tag := string(name)
			inTitle = tag == "title"
			if strings.Contains(tag, "-") {
				p.Elements = appendNew(p.Elements, capped(tag))
			}
			for more && !titleOnly {
				var key, value []byte
				key, value, more = z.TagAttr()
				switch {
				case tag == "html" && len(p.Attributes) < maxThings:
					p.Attributes[capped(string(key))] = capped(string(value))
				case tag == "script" && string(key) == "src", tag == "link" && string(key) == "href":
					if asset, ok := assetName(string(value)); ok {
						p.Assets = appendNew(p.Assets, asset)
					}
				}
			}
		}
	}
}

// assetName returns the base name of a reference to a script or style in a
// folder assets/.
func assetName(ref string) (string, bool) {
	ref, _, _ = strings.Cut(ref, "?")
	dir, name := path.Split(ref)
	if path.Base(dir) != "assets" || len(name) > maxText {
		return "", false
	}
	ext := path.Ext(name)
	return name, ext == ".js" || ext == ".css"
}

func appendNew(list []string, s string) []string {
	if len(list) >= maxThings || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func capped(s string) string { return s[:min(len(s), maxText)] }
