package exposure_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
)

// repositories are trees of n files of the shapes that repositories have, and that
// hostile ones may have.
func repositories(n int) map[string]map[string]string {
	const (
		compose = "services:\n  openclaw:\n    image: openclaw/openclaw:2026.9.6\n    environment:\n      OPENCLAW_GATEWAY_TOKEN: %[1]d-9f2c7e51b0a84d36\n" +
			"    command: [openclaw, gateway, --bind, lan, --port, '18789']\n    ports: ['%[2]d:18789']\n    networks: [front]\n" +
			"  web:\n    image: nginx:1.29\n    ports: ['%[3]d:80']\n    networks: [front]\nnetworks:\n  front: {}\n"
		nginx = "server {\n  listen 443 ssl;\n  server_name s%[1]d.example.com;\n  location / {\n    proxy_pass http://127.0.0.1:18789;\n" +
			"    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n  }\n}\n"
		config = `{gateway: {port: 18789, bind: "loopback", auth: {mode: "token", token: "%d-9f2c7e51b0a84d36"}}}` + "\n"
		pod    = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a%[1]d, namespace: n%[2]d}\nspec:\n  template:\n    metadata: {labels: {app: a%[1]d}}\n    spec:\n" +
			"      containers:\n      - name: web\n        image: registry.example/a%[1]d:1.2\n        ports: [{containerPort: 8080, name: http}]\n        env: [{name: A, value: b}]\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: a%[1]d, namespace: n%[2]d}\nspec:\n  type: LoadBalancer\n  selector: {app: a%[1]d}\n  ports: [{port: 80, targetPort: http}]\n"
		gatewayPod = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: openclaw, namespace: n%[1]d}\nspec:\n  template:\n    metadata: {labels: {app: openclaw}}\n    spec:\n" +
			"      containers:\n      - name: openclaw\n        image: openclaw/openclaw:2026.9.6\n        ports: [{containerPort: 18789, name: http}]\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: openclaw, namespace: n%[1]d}\nspec:\n  type: LoadBalancer\n  selector: {app: openclaw}\n  ports: [{port: 18789, targetPort: http}]\n"
		workflow = "name: ci\non: [push]\njobs:\n  test%[1]d:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: actions/checkout@v4\n    - run: make test\n    - run: |\n        go vet ./...\n        go test ./...\n"
		play     = "- hosts: web\n  become: true\n  tasks:\n  - name: install %[1]d\n    apt: {name: nginx, state: present}\n  - name: start\n    service: {name: nginx, state: started}\n"
		other    = "services:\n  db%[1]d:\n    image: postgres:17\n    ports: ['127.0.0.1:5432:5432']\n  app:\n    image: registry.example/app:1\n    ports: ['8080:8080']\n    depends_on: [db%[1]d]\n"
	)
	out := map[string]map[string]string{}
	add := func(shape, name, text string, args ...any) {
		if out[shape] == nil {
			out[shape] = map[string]string{}
		}
		out[shape][name] = fmt.Sprintf(text, args...)
	}
	for i := range n {
		add("compose", fmt.Sprintf("deploy/d%d/docker-compose.yml", i), compose, i, 20000+i%20000, 40000+i%20000)
		add("nginx", fmt.Sprintf("nginx/sites-enabled/s%d.conf", i), nginx, i)
		add("nginx-dirs", fmt.Sprintf("site%d/nginx.conf", i), nginx, i)
		add("kubernetes", fmt.Sprintf("k8s/d%d/all.yaml", i), gatewayPod, i)
		add("json", fmt.Sprintf("data/r%d.json", i), `{"id": %d, "name": "x", "values": [1, 2, 3]}`, i)
		switch i % 3 {
		case 0:
			add("together", fmt.Sprintf("a/d%d/docker-compose.yml", i), compose, i, 18789, 443)
			add("host", fmt.Sprintf("h/d%d/.openclaw/openclaw.json", i), config, i)
		case 1:
			add("together", fmt.Sprintf("a/d%d/nginx.conf", i-1), nginx, i)
			add("host", fmt.Sprintf("h/d%d/nginx.conf", i-1), nginx, i)
		default:
			add("together", fmt.Sprintf("a/d%d/openclaw.json", i-2), config, i)
			add("host", fmt.Sprintf("h/d%d/gateway.service", i-2), "[Service]\nUser=a%d\nExecStart=/usr/bin/openclaw gateway --port 18789 --bind lan\n", i)
		}
		switch i % 4 {
		case 0:
			add("monorepo", fmt.Sprintf("k8s/t%d/a.yaml", i), pod, i, i%50)
		case 1:
			add("monorepo", fmt.Sprintf("app%d/.github/workflows/ci.yml", i), workflow, i)
		case 2:
			add("monorepo", fmt.Sprintf("ansible/roles/r%d/tasks/main.yml", i), play, i)
		default:
			add("monorepo", fmt.Sprintf("services/s%d/compose.yaml", i), other, i)
		}
	}
	// One file of everything, against one of everything.
	var b strings.Builder
	b.WriteString("services:\n")
	for i := range n {
		fmt.Fprintf(&b, "  s%d:\n    image: openclaw/openclaw:2026.9.6\n    ports: ['%d:18789']\n", i, 20000+i)
	}
	add("services", "docker-compose.yml", "%s", b.String())
	return out
}

// The figures that count are at 1,000 files: under 2 s.
func BenchmarkRepository(b *testing.B) {
	for _, n := range []int{200, 1000, 4000} {
		for shape, files := range repositories(n) {
			b.Run(fmt.Sprintf("%s-%d", shape, n), func(b *testing.B) {
				tree := filetree.Map(files)
				o := exposure.Options{Input: "deployment", Releases: releases(b), Keys: keys(b)}
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					d := inspect.Read(tree, inspect.Options{})
					o.Load, o.Line, o.Read = d.Load, d.Line, d.Read
					exposure.Judge(d.Model, o)
				}
			})
		}
	}
}
