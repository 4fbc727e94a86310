package inspect

import "testing"

func TestCaddy(t *testing.T) { readExamples(t, "caddy", oneReader(caddyReader())) }

func FuzzCaddy(f *testing.F) { fuzzProxy(f, "caddy", "Caddyfile", oneReader(caddyReader())) }
