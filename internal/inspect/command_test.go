package inspect

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

func TestShellWords(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`a b  c`, `1:1 a|1:3 b|1:6 c`},
		{`a 'b c' "d \"e\" \x"`, `1:1 a|1:3 b c|1:9 d "e" \x`},
		{`a\ b c\`, `1:1 a b|1:6 c`},
		{"a \\\n  b", `1:1 a|2:3 b`},
		{`$A && b;c|d`, `1:1 $A|1:4 &&|1:7 b|1:8 ;|1:9 c|1:10 ||1:11 d`},
		{`'😀' b`, `1:1 😀|1:6 b`},
		{`"" ''`, `1:1 |1:4 `},
		{``, ``},
		{`'a`, `1:1 a`},
	} {
		if got := written(shellWords(tt.in, event.Pos{File: "f", Line: 1, Column: 1})); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.in, got, tt.want)
		}
	}
}

func written(words []deploy.Value) string {
	var b []string
	for _, w := range words {
		b = append(b, fmt.Sprintf("%d:%d %s", w.Pos.Line, w.Pos.Column, w.Text))
	}
	return strings.Join(b, "|")
}

func TestShellCommands(t *testing.T) {
	env := func(name string) deploy.Value {
		switch name {
		case "X":
			return deploy.Value{State: deploy.Set, Text: "x y"}
		case "E":
			return deploy.Value{State: deploy.Set}
		case "U":
			return deploy.Value{State: deploy.Unknown}
		case "P":
			return deploy.Value{State: deploy.Present}
		}
		return deploy.Value{}
	}
	for _, tt := range []struct{ in, want string }{
		{`a $X "$X" '$X'`, `a,x,y,x y,$X`},
		{`a $E "$E" b`, `a,,b`},
		{`a; b && c || d & (e) | f`, `a / b / c / d / e / f`},
		{"a # b ; c\nd", `a / d`},
		{`a >/dev/null 2>&1 b`, `a,b`},
		{`a &>log <in b`, `a,b`},
		{`${E:-d} ${E-d} ${N:-d} ${N-d} "${X:+q r}" ${N:+q}`, `d,d,d,q r`},
		{`A=1 B=2; c $A$B; D=3 e $D`, `A=1,B=2 / c,12 / D=3,e`},
		{`${U:-d} ${U} ${P:-d} $(date +"%s") $1 "$@"`, `~d,?${U},?${P:-d},?$(date +"%s"),?$1,?$@`},
		{`${N:-${E:-deep}} $$`, `deep,?$$`},
		{`a$`, `a$`},
		{`${`, `?${`},
	} {
		var b []string
		for _, c := range shellCommands(tt.in, event.Pos{}, env) {
			var w []string
			for _, v := range c {
				w = append(w, map[deploy.State]string{deploy.Unknown: "?", deploy.Assumed: "~"}[v.State]+v.Text)
			}
			b = append(b, strings.Join(w, ","))
		}
		if got := strings.Join(b, " / "); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.in, got, tt.want)
		}
	}
}

func TestGatewayCommand(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`openclaw gateway`, ``},
		{`openclaw gateway run --port 18789 --bind=lan --allow-unconfigured`, `allow-unconfigured=true bind=lan port=18789`},
		{`node dist/index.js gateway --bind lan --port 18789`, `bind=lan port=18789`},
		{`node --max-old-space-size=4096 /app/openclaw.mjs --profile work gateway --token t`, `profile=work token=t`},
		{`/usr/local/bin/clawdbot gateway --verbose`, `verbose=true`},
		{`moltbot --dev gateway`, `dev=true`},
		{`npx -y openclaw@2026.9.6 gateway --auth none`, `auth=none`},
		{`npx -p openclaw openclaw gateway`, ``},
		{`pnpm openclaw gateway --force`, `force=true`},
		{`tini -s -- docker-entrypoint.sh node openclaw.mjs gateway --allow-unconfigured`, `allow-unconfigured=true`},
		{`/usr/bin/env A=b node openclaw.mjs gateway`, ` A=b`},
		{`OPENCLAW_GATEWAY_TOKEN=t openclaw gateway`, ` OPENCLAW_GATEWAY_TOKEN=t`},
		{`sh -c "cd /app && exec openclaw gateway --bind lan"`, `bind=lan`},
		{`bash -lc 'export OPENCLAW_GATEWAY_PORT=1; openclaw gateway --port $OPENCLAW_GATEWAY_PORT'`, `port=1 OPENCLAW_GATEWAY_PORT=1`},
		{`sh -c 'openclaw gateway --bind ${B:-lan}'`, `bind=lan`},
		{`gosu node openclaw gateway`, ` user=node`},
		{`sudo -E -u claw openclaw gateway`, ` user=claw`},
		{`su node -c "openclaw gateway --bind loopback"`, `bind=loopback`},
		{`runuser -u node -- openclaw gateway`, ` user=node`},
		{`timeout 60 openclaw gateway --password ''`, `password=`},
		{`openclaw gateway --token`, `token=true`},
		{`openclaw gateway status`, `none`},
		{`openclaw gateway stop`, `none`},
		{`openclaw status`, `none`},
		{`openclaw`, `none`},
		{`echo openclaw gateway`, `none`},
		{`node server.js gateway`, `none`},
		{`nginx -g "daemon off;"`, `none`},
		{`sh -c`, `none`},
		{``, `none`},
	} {
		c := gatewayCommand(shellWords(tt.in, event.Pos{}))
		got := "none"
		if c != nil {
			var flags, env []string
			for k, v := range c.Flags {
				flags = append(flags, k+"="+v.Text)
			}
			for k, v := range c.Env {
				env = append(env, " "+k+"="+v.Text)
			}
			if c.User.State != deploy.Unset {
				env = append(env, " user="+c.User.Text)
			}
			sort.Strings(flags)
			sort.Strings(env)
			got = strings.Join(flags, " ") + strings.Join(env, "")
		}
		if got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.in, got, tt.want)
		}
	}
}

func FuzzShell(f *testing.F) {
	f.Add(`sh -c "exec ${A:-'b'} $(c) openclaw gateway --bind=\"$B\" 2>&1 && d"`)
	f.Add("`a` 'b' \\\n# c\n\"$X${Y:+z}\"")
	f.Fuzz(func(t *testing.T, text string) {
		at := event.Pos{File: "f", Line: 1, Column: 1}
		lines := strings.Count(text, "\n") + 1
		env := func(string) deploy.Value { return deploy.Value{State: deploy.Set, Text: "a b"} }
		words := shellWords(text, at)
		for _, c := range append(shellCommands(text, at, env), words) {
			for _, w := range c {
				if w.Pos.Line < 1 || w.Pos.Line > lines || w.Pos.Column < 1 || w.Pos.Column > len(text)+1 {
					t.Errorf("%q is at %v", w.Text, w.Pos)
				}
			}
			gatewayCommand(c)
		}
		if len(words) > maxWords+1 {
			t.Errorf("%d words", len(words))
		}
	})
}
