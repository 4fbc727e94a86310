package inspect

import "testing"

func TestCaddy(t *testing.T) { readExamples(t, "caddy", caddyReader()) }

func FuzzCaddy(f *testing.F) { fuzzReader(f, "caddy", caddyReader()) }
