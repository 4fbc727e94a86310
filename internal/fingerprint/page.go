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

const assetsFolder = "assets"

// ParsePage reads the facts of a page. It never fails: what cannot be read is
// not there.
func ParsePage(body []byte) Page { return parse(body, false) }

// parseTitle returns the title of a page alone. Most pages have nothing before it
// for which a tokenizer is needed.
func parseTitle(body []byte) string {
	if title, ok := plainTitle(body); ok {
		return title
	}
	return parse(body, true).Title
}

// plainTitle returns the title that follows text and plain tags; false where there
// is more before it (a comment, a script, a quote that may hold a ">"), or none.
func plainTitle(page []byte) (string, bool) {
	for {
		_, rest, _ := bytes.Cut(page, []byte("<"))
		tag, after, ok := bytes.Cut(rest, []byte(">"))
		switch page = after; {
		case !ok || !plainTag(tag):
			return "", false
		case !hasFold(tag, "title"):
			continue
		}
		for end := range page {
			if page[end] == '<' && hasFold(page[end:], "</title>") {
				title := titleText(html.UnescapeString(string(page[:end])))
				return title, title != "" && bytes.IndexByte(page[:end], 0) < 0
			} else if page[end] == '<' && hasFold(page[end:], "</title") {
				return "", false
			}
		}
		return "", false
	}
}

// plainTag reports whether a tag surely ends at the first ">", and is none whose
// content is not read as tags, but for a title without attributes.
func plainTag(tag []byte) bool {
	if len(tag) == 0 || (tag[0]|0x20 < 'a' || tag[0]|0x20 > 'z') && tag[0] != '/' && !hasFold(tag, "!doctype") {
		return false
	}
	for _, name := range []string{"title", "iframe", "no", "plaintext", "script", "style", "textarea", "xmp"} {
		if hasFold(tag, name) && !(name == "title" && len(tag) == len(name)) {
			return false
		}
	}
	// A quote opens a value after "=" alone.
	last := bytes.LastIndexAny(tag, `"'`)
	if last < 0 {
		return true
	}
	return bytes.IndexByte(tag, '"'+'\''-tag[last]) < 0 && !bytes.HasSuffix(bytes.TrimRight(tag[:last], " \t\r\n\f"), []byte("="))
}

func titleText(s string) string { return capped(strings.Join(strings.Fields(s), " ")) }

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
				p.Title = titleText(string(z.Text()))
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
	if path.Base(dir) != assetsFolder || len(name) > maxText {
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
