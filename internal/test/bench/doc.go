// Package bench holds benchmarks of the whole engine; see "make bench".
package bench
