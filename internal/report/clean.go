package report

import "github.com/clawsonar/clawsonar/internal/clean"

// Clean is clean.Text, CleanN is clean.N.
func Clean(s string) string { return clean.Text(s) }

// CleanN is clean.N.
func CleanN[S ~string](text S, limit int) S { return clean.N(text, limit) }
