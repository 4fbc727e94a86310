// Package ci holds the tests of the CI templates (action.yml and ci/), and of the
// examples that run something.
package ci
