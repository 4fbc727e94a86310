package inspect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/filetree"
)

func TestKubernetes(t *testing.T) { modelGoldens(t, "kubernetes", kubernetesReader()) }

func TestKubernetesHostile(t *testing.T) {
	many := "apiVersion: v1\nkind: List\nx: &e\n" + strings.Repeat("  - {name: A, value: b}\n", 2000) + "p: &p\n" + strings.Repeat("  - {containerPort: 1, hostPort: 2}\n", 2000) + "items:\n"
	for i := range 2000 {
		many += fmt.Sprintf("  - {apiVersion: v1, kind: Pod, metadata: {name: a%d}, spec: {containers: [{image: openclaw, env: *e, ports: *p}]}}\n", i)
	}
	list := strings.Repeat(`{apiVersion: v1, kind: List, items: [`, 45) + strings.Repeat(`]}`, 45)
	for name, text := range map[string]string{"many": many, "list": list, "cycle": "apiVersion: v1\nkind: List\nitems: &a [*a]\n"} {
		start := time.Now()
		files := map[string]string{"a.yaml": text}
		checkPlaces(t, readModel(files, kubernetesReader()), files)
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s takes %v", name, d)
		}
	}
}

func FuzzKubernetes(f *testing.F) {
	f.Add("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: openclaw, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], args: [gateway, $(A)]}]}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: YQ==}\n")
	f.Add("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: NodePort, selector: {a: b}, ports: [{port: 1, nodePort: 2}]}\n---\napiVersion: v1\nkind: Ingress\nspec: {rules: [{host: h, http: {paths: [{path: /, backend: {service: {name: a, port: {number: 1}}}}]}}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{"a.yaml": text, "b.yaml": text, "kustomization.yaml": text}
		checkPlaces(t, readModel(files, kubernetesReader()), files)
	})
}

// Containers that are no list of mappings are no pod that is known to hold no gateway.
func TestKubernetesContainers(t *testing.T) {
	for text, gaps := range map[string]int{
		"containers: [{name: a, image: nginx}]": 0,
		"containers: [[{name: a}]]":             1,
		"containers: []":                        1,
		"containers: a":                         1,
		"volumes: []":                           0, // a patch to another file
	} {
		m := Read(filetree.Map(map[string]string{"pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  " + text + "\n"}), Options{}).Model
		if len(m.Gaps) != gaps {
			t.Errorf("%s: gaps %v", text, m.Gaps)
		}
	}
}
