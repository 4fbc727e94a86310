package bounded

import "fmt"

// MaxYAML is the most that is read of a YAML file, in bytes. The largest of ours
// has 30 KB.
const MaxYAML = 1 << 20

// maxNodes bounds the values of a YAML document: each takes some 200 bytes.
const maxNodes = 100_000

// YAML reports whether a YAML document has no more values than any that is written
// by hand, before it is decoded.
func YAML(data []byte) error {
	if len(data) > MaxYAML {
		return fmt.Errorf("larger than %s, the most that is read of such a file", Size(MaxYAML))
	}
	n := 0
	for i, c := range data {
		switch c {
		case '\n', ',', '[', '{':
			n++
		case ':', '-', '?':
			if i+1 < len(data) && (data[i+1] == ' ' || data[i+1] == '\t') {
				n++
			}
		}
	}
	if n > maxNodes {
		return fmt.Errorf("holds more than %d lines and values", maxNodes)
	}
	return nil
}
