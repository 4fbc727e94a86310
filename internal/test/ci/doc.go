// Package ci holds the tests of the CI templates: action.yml and ci/.
package ci
