package audit

import (
	"fmt"
	"regexp"
)

// CheckName refuses what is no name of a watch or a vantage: a word that is the same in
// file names, messages and lists.
func CheckName(s string) error {
	if !regexp.MustCompile(`^[a-z0-9-]{1,40}$`).MatchString(s) {
		return fmt.Errorf("%.60q is no name: use 1 to 40 of a-z, 0-9 and -", s)
	}
	return nil
}
