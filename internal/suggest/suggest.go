// Package suggest finds the word that was meant.
package suggest

import "fmt"

// Closest returns the known word that is nearest to the given one, "" if none is
// near: at most a third of its letters, and no more than three, may be wrong,
// missing, too many, or in each other's place.
func Closest(word string, known []string) string {
	best, least := "", min(len(word)/3, 3)+1
	for _, k := range known {
		if d := distance(word, k); d > 0 && d < least {
			best, least = k, d
		}
	}
	return best
}

// DidYouMean is Closest as the end of an error's text, such as
// `: did you mean "scan"?`; "" if no word is near.
func DidYouMean(word string, known []string) string {
	if best := Closest(word, known); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ""
}

// distance is the optimal string alignment distance, in bytes.
func distance(a, b string) int {
	if max(len(a), len(b)) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
