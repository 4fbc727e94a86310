// Package release holds tests of what a release consists of: its configuration, the files
// in packaging, and with CLAWSONAR_E2E_RELEASE=1 what "make release-snapshot" makes.
package release
