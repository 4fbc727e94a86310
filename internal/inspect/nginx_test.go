package inspect

import "testing"

func TestNginx(t *testing.T) { readExamples(t, "nginx", oneReader(nginxReader())) }

func FuzzNginx(f *testing.F) { fuzzProxy(f, "nginx", "nginx.conf", oneReader(nginxReader())) }
