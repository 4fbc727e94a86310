package release

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs in a machine that has just been booted, with both units but neither enabled.
// What it prints is compared.
const script = `exec >/out.txt 2>/err.txt
ip link set lo up
up() { for i in $(seq 150); do curl -fsS http://127.0.0.1:8790/healthz >/dev/null && return; sleep 0.2; done; echo down; }
sh /postinstall.sh configure
echo installed: $(systemctl is-active clawsonar-hub), $(systemctl is-enabled clawsonar-hub)
systemctl start clawsonar-hub; up
for i in $(seq 150); do ls /var/lib/clawsonar-hub/streams/this-machine/*.jsonl.gz && break; sleep 0.2; done
echo user: $(ps -o user= -p $(systemctl show -p MainPID --value clawsonar-hub) | cut -c 1-6), $(stat -c %a /var/lib/clawsonar-hub/)
clawsonar-hub token new ann -config /etc/clawsonar/watch.yaml >/dev/null; echo token: $?
echo page: $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8790/)
clawsonar-hub worker new fra-1 -vantage fra -config /etc/clawsonar/watch.yaml -o /etc/clawsonar/fra-1.worker.yaml; echo worker: $?
systemctl start clawsonar-hub-worker@fra-1
for i in $(seq 150); do clawsonar-hub worker list -config /etc/clawsonar/watch.yaml | grep -q "fra-1.*$VERSION" && break; sleep 0.2; done
echo seen: $(clawsonar-hub worker list -config /etc/clawsonar/watch.yaml | grep -c "fra-1.*$VERSION")
before=$(systemctl show -p MainPID --value clawsonar-hub)
sh /postinstall.sh configure; up
[ "$before" != "$(systemctl show -p MainPID --value clawsonar-hub)" ] && echo upgraded: $(systemctl is-active clawsonar-hub clawsonar-hub-worker@fra-1)
sh /preremove.sh upgrade; echo kept: $(systemctl is-active clawsonar-hub)
systemctl enable clawsonar-hub clawsonar-hub-worker@fra-1
sh /preremove.sh remove
echo removed: $(systemctl is-active clawsonar-hub clawsonar-hub-worker@fra-1), $(systemctl is-enabled clawsonar-hub clawsonar-hub-worker@fra-1)
echo history: $(ls /var/lib/private/clawsonar-hub/streams/this-machine | wc -l)
echo watch: 1 >>/etc/clawsonar/watch.yaml
systemctl start clawsonar-hub; sleep 2
echo wrong: $(systemctl is-failed clawsonar-hub), $(systemctl show -p NRestarts --value clawsonar-hub) restarts
journalctl --no-pager -u 'clawsonar-hub*' >/journal.txt
systemctl poweroff
`

const scriptSays = `installed: inactive, disabled
user: clawso, 700
token: 0
page: 401
worker: 0
seen: 1
upgraded: active active
kept: active
removed: inactive inactive, disabled disabled
history: 1
wrong: failed, 0 restarts
`

// systemd boots a machine with the package of the hub: its units do what they are for
// within what they are permitted, and its scripts start nothing and stop what runs.
func (d dist) systemd(t *testing.T) {
	nspawn, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: the units in a running systemd: systemd-nspawn is not installed")
	}
	deb := d.asset("clawsonar-hub_" + version + "_linux_amd64.deb")
	dir := t.TempDir()
	root, unpacked, scripts := filepath.Join(dir, "root"), filepath.Join(dir, "unpacked"), filepath.Join(dir, "scripts")
	do(t, "dpkg-deb", "-x", deb, unpacked)
	do(t, "dpkg-deb", "-e", deb, scripts)
	for _, sub := range []string{"usr", "etc/systemd/system", "etc/clawsonar", "var", "proc", "sys", "dev", "run", "tmp", "root"} {
		check(t, os.MkdirAll(filepath.Join(root, sub), 0o755))
	}
	for _, link := range []string{"bin", "lib", "lib64", "sbin"} {
		check(t, os.Symlink("usr/"+link, filepath.Join(root, link)))
	}
	for _, unit := range []string{"systemd-firstboot", "nftables"} {
		check(t, os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system", unit+".service")))
	}
	watch := file(t, unpacked, "etc/clawsonar/watch.yaml")
	workers := strings.NewReplacer("# workers:", "workers:", "0.0.0.0:8791", "127.0.0.1:8791", "hub.example.org", "127.0.0.1").Replace(watch)
	if strings.Count(workers, "127.0.0.1:8791") != 2 {
		t.Fatalf("watch.yaml has no workers in a comment:\n%s", watch)
	}
	for name, text := range map[string]string{
		"etc/os-release": "ID=linux\n", "etc/machine-id": strings.Repeat("0123456789abcdef", 2) + "\n", "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
		"etc/group": "root:x:0:\n", "etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\n", "etc/clawsonar/watch.yaml": workers,
		"postinstall.sh": file(t, scripts, "postinst"), "preremove.sh": file(t, scripts, "prerm"), "check.sh": script,
		"etc/systemd/system/check.service": "[Unit]\nWants=basic.target\nAfter=basic.target\n[Service]\nType=oneshot\nEnvironment=VERSION=" + version + "\nExecStart=/bin/sh /check.sh\n",
	} {
		check(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	out, err := exec.Command("timeout", "300", nspawn, "--directory="+root, "--overlay=/usr:"+filepath.Join(unpacked, "usr")+":/usr",
		"--private-network", "--register=no", "--keep-unit", "--boot", "--", "systemd.unit=check.service").CombinedOutput()
	said, readErr := os.ReadFile(filepath.Join(root, "out.txt"))
	if err != nil || readErr != nil {
		t.Fatalf("the machine: %v %v\n%s", err, readErr, out)
	}
	// The names of streams are those of the times of runs.
	var lines strings.Builder
	for line := range strings.Lines(string(said)) {
		if !strings.HasPrefix(line, "/var/lib/") {
			fmt.Fprint(&lines, line)
		}
	}
	if lines.String() != scriptSays {
		journal, _ := os.ReadFile(filepath.Join(root, "journal.txt"))
		errs, _ := os.ReadFile(filepath.Join(root, "err.txt"))
		t.Errorf("said\n%swant\n%s%s%s", lines.String(), scriptSays, errs, journal)
	}
}
