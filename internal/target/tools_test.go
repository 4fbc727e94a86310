package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What one's own tools write, in its variants, and what is wrong in it.
func TestReadTools(t *testing.T) {
	const (
		service = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","namespace":"n"},"spec":`
		gateway = `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"g","namespace":"n"},"spec":`
		route   = `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r","namespace":"n"},"spec":`
		ingress = `{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"i","namespace":"n"},"spec":`
		node    = `{"apiVersion":"v1","kind":"Node","status":{"addresses":[{"type":"Hostname","address":"x"},{"type":"InternalIP","address":"192.0.2.5"}]}}`
		found   = "=;eth0;IPv6;Claw\\032\\059;_openclaw-gw._tcp;local;pi.local;"
	)
	ps := func(ports string) string {
		return fmt.Sprintf(`{"Names":"a","Networks":"bridge","Ports":%q,"State":"running"}`, ports) + "\n"
	}
	at := func(addr string, port int) string {
		return fmt.Sprintf("l:1 127.0.0.1 at 127.0.0.1 of a by docker published %s:%d ports [%d] exact\n", addr, port, port)
	}
	for _, tt := range []struct{ name, in, want, err string }{
		// docker ps
		{"old client", ps(":::80->80/tcp, 0.0.0.0:80->80/tcp"), at("0.0.0.0", 80), ""},
		{"IPv6 alone", ps("[::]:80->80/tcp"), "l:1 ::1 at ::1 of a by docker published [::]:80 ports [80] exact\n", ""},
		{"moved within a range", ps("0.0.0.0:1000-1001->18788-18789/tcp"), at("0.0.0.0", 1001) + "passed over: 1\n", ""},
		{"compose ps", `{"Name":"a","Names":"a","Service":"s","Ports":"0.0.0.0:80->80/tcp","Publishers":[],"State":"running"}`, at("0.0.0.0", 80), ""},
		{"names of two networks", `{"Names":"a,b/c","Ports":"0.0.0.0:80->80/tcp"}`, at("0.0.0.0", 80), ""},
		{"name with an escape sequence", `{"Names":"\u001b[2J","Ports":"0.0.0.0:80->80/tcp"}`, strings.Replace(at("0.0.0.0", 80), " of a", "", 1), ""},
		{"port out of range", ps("0.0.0.0:70000->80/tcp"), "", `l:1: container "a": "70000" is neither a port nor a range`},
		{"port 0", ps("0.0.0.0:0->80/tcp"), "", `l:1: container "a": "0" is neither`},
		{"range that runs backwards", ps("0.0.0.0:90-80->80/tcp"), "", `l:1: container "a": "90-80" is neither`},
		{"no address", ps("gw:80->80/tcp"), "", `l:1: container "a": "gw" is not an address`},
		{"an address that is never contacted is refused later", ps("224.0.0.1:80->80/tcp"), "l:1 224.0.0.1 at 224.0.0.1 of a by docker published 224.0.0.1:80 ports [80] exact\n", ""},
		{"no host part", ps("80->80/tcp"), "", `l:1: container "a": "80->80/tcp" is not a port as docker ps writes it`},
		{"something else", ps("0.0.0.0:80->80/tcp, and more"), "", `l:1: container "a": "and more" is not a port as docker ps writes it`},
		{"ranges without end", ps(strings.Repeat("0.0.0.0:20000-65535->20000-65535/tcp, ", 3)), "passed over: 91072\n", "l:1: more than 131072 ports of one host"},
		{"ports of another kind", `{"Names":"a","Ports":{"80":1}}`, "", "l:1: not JSON that is known: a value is not as docker"},
		{"giant number", `{"Names":["a"],"Ports":[{"host_ip":"","host_port":1e400,"container_port":80,"range":1,"protocol":"tcp"}]}`, "", "l:1: not JSON that is known: host_port is not as docker"},
		{"podman, range beyond the last port", `{"Names":["a"],"Ports":[{"host_port":65535,"container_port":80,"range":9,"protocol":"tcp"}]}`, "", `l:1: container "a": "65535-65543" is neither`},
		{"podman, two protocols", `{"Names":["a"],"Ports":[{"host_port":80,"container_port":80,"range":1,"protocol":"udp,tcp"}]}`, at("0.0.0.0", 80), ""},

		// docker inspect
		{"an image", `[{"Id":"sha256:1","RepoTags":[],"Config":{}}]`, "", "l:1: JSON object names no host"},
		{"inspect, port of another kind", `[{"Name":"/a","HostConfig":{"NetworkMode":"x"},"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"","HostPort":80}]}}}]`, "",
			"l:1: not JSON that is known: NetworkSettings.Ports.HostPort is not as docker"},
		{"inspect, no port", `[{"Name":"/a","HostConfig":{"NetworkMode":"x"},"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"","HostPort":""}]}}}]`, "",
			`l:1: container "/a": "" is neither`},

		// docker compose config
		{"compose, numbers", `{"services":{"a":{"ports":[{"target":80,"published":80}]}}}`, at("0.0.0.0", 80), ""},
		{"compose, short form", `{"services":{"a":{"ports":["80:80"]}}}`, "", "l:1: not JSON that is known: Services.Ports is not as docker"},
		{"compose, nothing", `{"services":{}}`, "", ""},
		{"compose, secret of the wrong kind", `{"services":{"a":{"network_mode":{"x":"S3CRET"}}}}`, "", "l:1: not JSON that is known: Services.network_mode is not as docker"},

		// kubectl
		{"many values", service + `{"ports":[0` + strings.Repeat(",0", maxValues) + "]}}", "", "l:1: JSON object holds more than 100000 values"},
		{"secrets are of another kind", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"S3CRET"},"data":{"a":"S3CRET"}}`, "passed over: 1 " + string(LeftKind) + "\n", ""},
		{"service without a port", service + `{"type":"LoadBalancer","ports":[{}]}}`, "", `l:1: service "n/a" has a port that is none`},
		{"service, port out of range", service + `{"ports":[{"port":70000}]}}`, "", "l:1: not JSON that is known: Spec.Ports.Port is not as docker"},
		{"load balancer, no address", service + `{"type":"LoadBalancer","ports":[{"port":80}]},"status":{"loadBalancer":{"ingress":[{"ip":"x"}]}}}`, "", `l:1: "x" is not an address`},
		{"load balancer, control characters in its name", service + `{"type":"LoadBalancer","ports":[{"port":80}]},"status":{"loadBalancer":{"ingress":[{"hostname":"\u001b[2J"}]}}}`, "", `l:1: "\x1b[2J": not an address or host name`},
		{"many ports at many addresses", service + `{"externalIPs":["192.0.2.1"` + strings.Repeat(`,"192.0.2.1"`, 999) + `],"ports":[{"port":80}` + strings.Repeat(`,{"port":80}`, 999) + "]}}", "", "l:1: more than 131072 ports of one host"},
		{"node ports on nodes that come later, one a line", service + `{"type":"NodePort","ports":[{"port":18789,"targetPort":"x","nodePort":30001},{"port":25,"nodePort":30002}]}}` + "\n" + node,
			"l:1 192.0.2.5 at 192.0.2.5 of n/a ports [30001] exact\npassed over: 1\n", ""},
		{"two lists", `[{"apiVersion":"v1","kind":"List","items":[` + node + `]},{"kind":"List","apiVersion":"v1","items":[` + service + `{"type":"NodePort","ports":[{"port":80,"nodePort":30001}]}}]}]`,
			"l:1 192.0.2.5 at 192.0.2.5 of n/a ports [30001] exact\n", ""},
		{"items that are none", `{"apiVersion":"v1","items":[1],"kind":"List"}`, "", "l:1: a JSON object is expected"},
		{"list without its end", `{"apiVersion":"v1","items":[` + node, "", "l:1: the list is cut"},
		{"list without the rest of it", `{"apiVersion":"v1","items":[]`, "", "l:1: the list is cut"},
		{"no items", `{"apiVersion":"v1","items":[],"kind":"List"}`, "", ""},
		{"ingress, host that is none", ingress + `{"rules":[{"host":"a b"}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, "", `l:1: "a b": not an address or host name`},
		{"ingress, TLS below a domain", ingress + `{"rules":[{"host":"a.example"}],"tls":[{"hosts":["*.example"]}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`,
			"l:1 192.0.2.1 at 192.0.2.1 name a.example of n/i ports [80] exact\nl:1 192.0.2.1 at 192.0.2.1 name a.example scheme https of n/i ports [443] exact\n", ""},
		{"ingress, hosts and all others", ingress + `{"defaultBackend":{"service":{"name":"s"}},"rules":[{"host":"a.example"}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`,
			"l:1 192.0.2.1 at 192.0.2.1 name a.example of n/i ports [80] exact\nl:1 192.0.2.1 at 192.0.2.1 of n/i ports [80] exact\n", ""},
		{"gateway without routes", gateway + `{"listeners":[{"port":80,"protocol":"HTTP"}]},"status":{"addresses":[{"value":"192.0.2.1"}]}}`, "passed over: 1 " + string(LeftNoRoute) + "\n", ""},
		{"gateway after its route, other host and port", route + `{"hostnames":["a.example","a.other"],"parentRefs":[{"name":"g","port":8443}]}}` +
			gateway + `{"listeners":[{"port":80,"protocol":"HTTP"},{"port":8443,"protocol":"HTTPS","hostname":"*.example"}]},"status":{"addresses":[{"type":"Hostname","value":"lb.example"}]}}`,
			"l:1 a.example name a.example scheme https of n/r ports [8443] exact implied\npassed over: 1 " + string(LeftNoRoute) + "\n", ""},
		{"route between services", route + `{"hostnames":["a.example"],"parentRefs":[{"kind":"Service","name":"g"}]}}`, "passed over: 1 " + string(LeftInside) + "\n", ""},

		// tailscale status
		{"logged out", `{"BackendState":"NeedsLogin","AuthURL":"https://S3CRET","Self":{},"Peer":null}`, "", `l:1: the tailnet is not connected ("NeedsLogin")`},
		{"without itself", `{"BackendState":"Running","Peer":{}}`, "", "l:1: this machine is missing"},
		{"somebody else's", `{"BackendState":"Running","Self":{},"Peer":{"nodekey:\"}{":{"DNSName":"se-1.mullvad.ts.net.","TailscaleIPs":["100.64.0.9"],"Online":true},"b":{"ShareeNode":true,"TailscaleIPs":["100.64.0.8"],"Online":true}}}`,
			"passed over: 1 " + string(LeftOffline) + "\npassed over: 2 " + string(LeftForeign) + "\n", ""},
		{"peers that are none", `{"BackendState":"Running","Peer":{"a":5}}`, "", "l:1: a JSON object is expected"},
		{"peers without their end", `{"BackendState":"Running","Peer":{"a":{"TailscaleIPs":[]}`, "passed over: 1 " + string(LeftOffline) + "\n", "l:1: the list is cut"},
		{"peers, cut within a key", `{"BackendState":"Running","Peer":{"a`, "", "l:1: the list is cut"},

		// avahi-browse
		{"link-local", found + "fe80::1;80;\"role=gateway\"\n", "l:1 fe80::1%eth0 at fe80::1%eth0 name pi.local by mdns announced [role] ports [80] exact\n", ""},
		{"link-local, bad interface", strings.Replace(found, "eth0", "e/0", 1) + "fe80::1;80;\n", "", `l:1: target "fe80::1%e/0": "e/0" is not the name of an interface`},
		{"not found out", "+;eth0;IPv6;a;_openclaw-gw._tcp;local\n" + "+;eth0;IPv4;a;_openclaw-gw._tcp;local\n" + found + "192.0.2.1;80;\n",
			"l:3 192.0.2.1 at 192.0.2.1 name pi.local by mdns announced [] ports [80] exact\npassed over: 1 " + string(LeftUnnamed) + "\n", ""},
		{"host with control characters", strings.Replace(found, "pi.local", "\x1b[2J", 1) + "192.0.2.1;80;\n", "l:1 192.0.2.1 at 192.0.2.1 by mdns announced [] ports [80] exact\n", ""},
		{"quotes within a text", found + `192.0.2.1;80;"displayName=\" \"gatewayPort=22" "role=x"` + "\n", "l:1 192.0.2.1 at 192.0.2.1 name pi.local by mdns announced [role displayName] ports [80] exact\n", ""},
		{"announced port out of range", found + `192.0.2.1;80;"gatewayPort=70000"` + "\n", "", `l:1: "70000" is not a port`},
		{"without -r", "=;eth0;IPv6;a;_openclaw-gw._tcp;local\n", "", "l:1: an announcement without address and port"},
		{"too short", "=;eth0\n", "", "l:1: not a line of avahi-browse"},
		{"cut", found + "192.0.2.1;80;", "", "l:1: the list is cut"},

		// ss
		{"names instead of numbers", "LISTEN 0 128 0.0.0.0:ssh 0.0.0.0:*\n", "", `l:1: "ssh" is not a port: use a number from 1 to 65535 (ss -ltn writes numbers)`},
		{"no address in ss", "LISTEN 0 128 x:22 0.0.0.0:*\n", "", `l:1: "x" is not an address`},
		{"nothing but the state", "LISTEN 0\n", "", "l:1: not a line of ss"},
		{"process with an escape sequence", "LISTEN 0 1 10.0.0.1:80 0.0.0.0:* users:((\"\x1b[2J\",pid=1,fd=1))\n", "l:1 10.0.0.1 at 10.0.0.1 bound 10.0.0.1:80 ports [80] exact\n", ""},
		{"hosts that are called so", "LISTEN\nState\ntcp\n", "l:1 LISTEN name listen ports [80 443 18789 18790] implied\nl:2 State name state ports [80 443 18789 18790] implied\nl:3 tcp name tcp ports [80 443 18789 18790] implied\n", ""},

		// one's own
		{"one's own", `{"ip":"192.0.2.1","port":80,"name":"gw.example"}`, "l:1 192.0.2.1 at 192.0.2.1 name gw.example ports [80] exact\n", ""},
		{"a name alone", `{"name":"gw.example"}`, "", "l:1: JSON object names no host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := read(&List{Name: "l", Ports: wanted}, strings.NewReader(tt.in))
			got, _, _ = strings.Cut(got, "passed over to this machine")
			if got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			switch {
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "S3CRET")):
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// What waits for the end of a list is bounded, and so is what is made of it.
func TestReadManyTools(t *testing.T) {
	node := `{"apiVersion":"v1","kind":"Node","status":{"addresses":[{"type":"InternalIP","address":"192.0.2.5"}` + strings.Repeat(`,{"type":"InternalIP","address":"192.0.2.5"}`, 9999) + "]}}\n"
	service := `{"apiVersion":"v1","kind":"Service","spec":{"type":"NodePort","ports":[{"port":80,"nodePort":30001}` + strings.Repeat(`,{"port":80,"nodePort":30001}`, 999) + "]}}\n"
	for _, tt := range []struct{ name, in, err string }{
		{"nodes", strings.Repeat(node, 7), "l:7: more than 65536 nodes"},
		{"node ports", strings.Repeat(service, 70), "l:66: more than 65536 nodes"},
		{"nodes and node ports", node + service, "l:2: nodes and ports, or gateways and routes, make more than 4194304 places"},
		{"names", strings.Repeat(`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","spec":{"hostnames":["`+strings.Repeat("x", 1<<20)+`"],"parentRefs":[{"name":"g"}]}}`+"\n", 20), "l:16: names and addresses that are longer than 16 MiB"},
	} {
		n := 0
		l := List{Name: "l", Ports: wanted}
		err := l.Read(strings.NewReader(tt.in), func(Spec) error { n++; return nil })
		if err == nil || !strings.HasPrefix(err.Error(), tt.err) || n > maxReach {
			t.Errorf("%s: %d entries, error %v, want %q", tt.name, n, err, tt.err)
		}
	}
	// What is read one by one is so once in an object: else each time would cost what all before it do.
	again := `{"apiVersion":"v1"` + strings.Repeat(`,"items":[]`, 250_000) + "}"
	if err := (&List{Name: "l", Ports: wanted}).Read(strings.NewReader(again), func(Spec) error { return nil }); err == nil {
		t.Error("an object without a kind is taken")
	}
	// Services in one object: each is one of many that are read one by one.
	items := `{"apiVersion":"v1","items":[` + strings.TrimSuffix(strings.Repeat(`{"apiVersion":"v1","kind":"Service","spec":{"externalIPs":["192.0.2.1"],"ports":[{"port":80}]}},`+"\n", 100_000), ",\n") + `],"kind":"List"}`
	n, last := 0, ""
	l := List{Name: "l", Ports: wanted}
	if err := l.Read(strings.NewReader(items), func(s Spec) error { n, last = n+1, s.Source; return nil }); err != nil || n != 100_000 || last != "l:100000" {
		t.Errorf("%d entries, the last %s, of a list larger than an object may be (%d bytes): %v", n, last, len(items), err)
	}
}

// What the lists hold of secrets is in nothing that is read of them: no entry, no count,
// and no error, wherever they are cut or broken.
func TestReadSecrets(t *testing.T) {
	const letters = "zqcanaryxk"
	files, err := filepath.Glob("testdata/lists/*")
	if err != nil {
		t.Fatal(err)
	}
	planted := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole := string(data)
		if !strings.Contains(whole, letters) {
			continue
		}
		planted++
		for _, in := range []string{
			whole, whole[:len(whole)/2], whole[:strings.Index(whole, letters)+len(letters)],
			strings.ReplaceAll(whole, letters, letters+`"`), // broken at each
			strings.ReplaceAll(whole, "127.0.0.1", "1e400"),
		} {
			var all strings.Builder
			l := List{Name: "l", Ports: wanted}
			err := l.Read(strings.NewReader(in), func(s Spec) error {
				s.Source = ""
				_, _ = fmt.Fprintf(&all, "%+v\n", s)
				return nil
			})
			fmt.Fprintln(&all, err, l.Left)
			if strings.Contains(all.String(), letters) {
				t.Errorf("%s: %s", file, all.String())
			}
		}
	}
	if planted < 6 {
		t.Errorf("secrets in %d files only", planted)
	}
}
