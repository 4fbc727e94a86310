// Package e2e tests the built program against real gateways. Its tests need the
// build tag e2e, npm, nginx and Caddy; see "make e2e".
package e2e
