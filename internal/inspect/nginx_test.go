package inspect

import "testing"

func TestNginx(t *testing.T) { readExamples(t, "nginx", nginxReader()) }

func FuzzNginx(f *testing.F) { fuzzReader(f, "nginx", nginxReader()) }
