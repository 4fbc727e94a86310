package inspect

import (
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// gatewayCommand returns the command line of the gateway that words start, and nil if they start
// none. It looks through shells, wrappers and assignments: `sh -c '… exec openclaw gateway'`,
// `tini -- node dist/index.js gateway run`, `A=b npx -y openclaw gateway`.
func gatewayCommand(words []deploy.Value) *deploy.Command { return gatewayCommandIn(words, nil) }

// gatewayCommandIn is gatewayCommand with the environment that shells on the way have.
func gatewayCommandIn(words []deploy.Value, env lookup) *deploy.Command {
	return commandFinder{env: env, scripts: new(int)}.find(words)
}

// gatewayScript returns the first command of a shell script that starts a gateway.
// What the script assigns before counts as the gateway's environment.
func gatewayScript(commands [][]deploy.Value) *deploy.Command {
	return commandFinder{scripts: new(int)}.script(commands)
}

// maxScripts bounds the scripts within commands that are looked through.
const maxScripts = 50

type commandFinder struct {
	env     lookup
	nested  int
	scripts *int
}

// script looks through simple commands in their order.
func (f commandFinder) script(commands [][]deploy.Value) *deploy.Command {
	exported := map[string]deploy.Value{}
	for _, words := range commands {
		if c := f.find(words); c != nil {
			for name, v := range exported {
				if _, own := c.Env[name]; !own {
					c.Env[name] = v
				}
			}
			return c
		}
		if len(words) > 0 && (words[0].Text == "export" || words[0].Text == "declare" || words[0].Text == "set") {
			words = words[1:]
		}
		for _, w := range words {
			name, v, ok := assignment(w)
			if !ok {
				break
			}
			exported[name] = v
		}
	}
	return nil
}

// find looks through one simple command.
func (f commandFinder) find(words []deploy.Value) *deploy.Command {
	c := deploy.Command{Flags: map[string]deploy.Value{}, Env: map[string]deploy.Value{}}
	rest, script := peel(words, &c)
	if script != nil {
		if *f.scripts++; f.nested >= maxNested || *f.scripts > maxScripts {
			return nil
		}
		return f.inner(*script, c.Env)
	}
	if len(rest) == 0 {
		return nil
	}
	args, ok := programArgs(base(rest[0].Text), rest)
	if !ok || !gatewayArgs(args, &c) {
		return nil
	}
	c.Args, c.Pos = words, words[0].Pos
	return &c
}

// inner looks through the script of a shell that has these variables.
func (f commandFinder) inner(script deploy.Value, env map[string]deploy.Value) *deploy.Command {
	f.nested++
	f.env = layered(env, f.env)
	commands := shellCommands(script.Text, script.Pos, f.env)
	if script.Pos.Column == 0 { // where in the file its lines are is not known
		for _, c := range commands {
			for i := range c {
				c[i].Pos = script.Pos
			}
		}
	}
	in := f.script(commands)
	if in == nil {
		return nil
	}
	for name, v := range env {
		if _, own := in.Env[name]; !own {
			in.Env[name] = v
		}
	}
	return in
}

// peel takes assignments and wrappers off a simple command, and notes in c what they set.
// What is left is a program with its arguments, or nothing; or else the script that a shell
// runs.
func peel(words []deploy.Value, c *deploy.Command) (rest []deploy.Value, script *deploy.Value) {
	for range maxWords {
		for len(words) > 0 {
			name, v, ok := assignment(words[0])
			if !ok {
				break
			}
			if c.Env != nil {
				c.Env[name] = v
			}
			words = words[1:]
		}
		if len(words) == 0 {
			return nil, nil
		}
		program, args := base(words[0].Text), words[1:]
		if isShell(program) || program == "su" || program == "runuser" {
			if text, found := shellScript(args); found {
				return nil, &text
			}
		}
		rest, ok := unwrap(program, args, c)
		if !ok {
			return words, nil
		}
		words = rest
	}
	return nil, nil
}

// layered looks names up in a map first.
func layered(first map[string]deploy.Value, env lookup) lookup {
	return func(name string) deploy.Value {
		if v, ok := first[name]; ok {
			return v
		}
		if env == nil {
			return deploy.Value{State: deploy.Unknown}
		}
		return env(name)
	}
}

// assignment takes NAME=VALUE apart.
func assignment(w deploy.Value) (string, deploy.Value, bool) {
	name, text, ok := strings.Cut(w.Text, "=")
	if !ok || name == "" {
		return "", deploy.Value{}, false
	}
	for i := range len(name) {
		if !isName(name[i], i == 0) {
			return "", deploy.Value{}, false
		}
	}
	w.Text = text
	return name, w, true
}

// base is the name of a program without its directory and the release of its package.
func base(program string) string {
	name := path.Base(strings.ReplaceAll(program, `\`, "/"))
	if at := strings.IndexByte(name, '@'); at > 0 {
		name = name[:at]
	}
	return strings.ToLower(name)
}

func isShell(program string) bool {
	switch program {
	case "sh", "bash", "ash", "dash", "zsh", "busybox":
		return true
	}
	return false
}

// shellScript returns the argument of -c.
func shellScript(args []deploy.Value) (deploy.Value, bool) {
	for i, a := range args {
		if isOption(a.Text) && !strings.HasPrefix(a.Text, "--") && strings.HasSuffix(a.Text, "c") && i+1 < len(args) {
			return args[i+1], true
		}
		if a.Text == "--command" && i+1 < len(args) {
			return args[i+1], true
		}
	}
	return deploy.Value{}, false
}

// wrappers are programs that run the command behind them: the options that take a word of their
// own, and how many words stand before the command.
func wrapper(program string) (valued string, operands int, ok bool) {
	switch program {
	case "exec":
		return "-a", 0, true
	case "env":
		return "-u -C --unset --chdir", 0, true
	case "command", "nohup", "setsid", "time", "npx", "bunx", "pnpx", "dlx", "catatonit", "then", "do", "else", "if", "while", "until", "{", "!", "builtin", "docker-init", "numactl", "/init":
		return "-p --package -c --call", 0, true
	case "tini", "tini-static":
		return "-p -e", 0, true
	case "dumb-init":
		return "-r --rewrite", 0, true
	case "gosu", "su-exec", "s6-setuidgid", "setuidgid":
		return "", 1, true
	case "sudo", "doas":
		return "-u --user -g --group -C -h -p -D", 0, true
	case "runuser":
		return "-u --user -g --group", 0, true
	case "setpriv":
		return "--reuid --regid --groups", 0, true
	case "nice":
		return "-n --adjustment", 0, true
	case "ionice":
		return "-c -n -p", 0, true
	case "stdbuf":
		return "-i -o -e", 0, true
	case "timeout":
		return "-k -s --kill-after --signal", 1, true
	case "xvfb-run":
		return "-n -s -f -e -w -p --server-num --server-args", 0, true
	case "dotenv", "dotenvx", "infisical", "doppler", "op":
		return "-e -f --env --env-file", 0, true
	}
	return "", 0, strings.Contains(program, "entrypoint")
}

// unwrap removes a wrapper from a command line.
func unwrap(program string, args []deploy.Value, c *deploy.Command) ([]deploy.Value, bool) {
	switch program {
	case "npm", "pnpm", "yarn", "bun", "corepack":
		for len(args) > 0 {
			switch t := args[0].Text; {
			case isOption(t), t == "exec", t == "run", t == "x", t == "dlx", t == "--", t == "pnpm", t == "npm", t == "yarn":
				args = args[1:]
				continue
			}
			break
		}
		return args, true
	case "uvx", "sh", "bash":
		return nil, false
	}
	valued, operands, ok := wrapper(program)
	if !ok {
		return nil, false
	}
	if operands == 1 && program != "timeout" && len(args) > 0 {
		c.User = args[0]
	}
	for len(args) > 0 && isOption(args[0].Text) {
		option := args[0]
		args = args[1:]
		if option.Text == "--" {
			break
		}
		if option.Text == "-S" || option.Text == "--split-string" { // of env
			continue
		}
		name, value, joined := strings.Cut(option.Text, "=")
		if !strings.Contains(" "+valued+" ", " "+name+" ") {
			continue
		}
		v := deploy.Value{State: option.State, Text: value, Pos: option.Pos}
		if !joined {
			if len(args) == 0 {
				break
			}
			v, args = args[0], args[1:]
		}
		if name == "-u" && program != "env" || name == "--user" || name == "--reuid" {
			c.User = v
		}
	}
	if program == "dotenv" || program == "dotenvx" || program == "infisical" || program == "doppler" || program == "op" {
		if len(args) > 0 && args[0].Text == "run" {
			args = args[1:]
			for len(args) > 0 && isOption(args[0].Text) {
				args = args[1:]
			}
		}
	}
	return args[min(operands, len(args)):], true
}

func isOption(word string) bool { return len(word) > 1 && word[0] == '-' }

// programArgs returns the arguments of the product's program, if words call that.
func programArgs(program string, words []deploy.Value) ([]deploy.Value, bool) {
	if isProduct(program) {
		return words[1:], true
	}
	if program != "node" && program != "nodejs" && program != "bun" && program != "tsx" && program != "deno" {
		return nil, false
	}
	args := words[1:]
	for len(args) > 0 && isOption(args[0].Text) {
		switch args[0].Text {
		case "-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file", "--max-old-space-size", "--title":
			args = args[1:]
		}
		args = args[min(1, len(args)):]
	}
	if len(args) == 0 {
		return nil, false
	}
	script := strings.ToLower(args[0].Text)
	name := path.Base(script)
	dist := name == "index.js" || name == "index.mjs" || name == "entry.js" || name == "entry.mjs" || name == "cli.js" || name == "run-main.js"
	if isProduct(name) || dist && (path.Base(path.Dir(script)) == "dist" || mentionsProduct(script)) {
		return args[1:], true
	}
	return nil, false
}

// isProduct reports whether a program or script is the product's, by any of its names.
func isProduct(name string) bool {
	for _, suffix := range []string{".mjs", ".js", ".cjs", ".cmd", ".ps1"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch name {
	case "openclaw", "clawdbot", "moltbot", "moldbot":
		return true
	}
	return false
}

// mentionsProduct reports whether a text, such as the name of an image, has a name of the product.
func mentionsProduct(text string) bool {
	text = strings.ToLower(text)
	for _, name := range []string{"openclaw", "clawdbot", "moltbot"} {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// gatewayArgs takes the arguments of the product's program, and reports whether they start a
// gateway in the foreground: "gateway" or "gateway run".
func gatewayArgs(args []deploy.Value, c *deploy.Command) bool {
	var operands []string
	for i := 0; i < len(args); i++ {
		w := args[i]
		if !isOption(w.Text) {
			if w.Text != "" && w.State != deploy.Unknown {
				operands = append(operands, w.Text)
			}
			continue
		}
		if w.Text == "--" {
			continue
		}
		name, text, joined := strings.Cut(strings.TrimLeft(w.Text, "-"), "=")
		switch {
		case joined:
			w.Text = text
		case flagAlone(name):
			w.Text = "true"
		case i+1 < len(args) && (!isOption(args[i+1].Text) || flagValued(name)):
			i++
			w = args[i]
		default:
			w.Text = "true"
		}
		c.Flags[name] = w
	}
	return len(operands) > 0 && operands[0] == "gateway" && (len(operands) == 1 || operands[1] == "run")
}

// flagAlone reports whether a flag of the gateway takes no value.
func flagAlone(name string) bool {
	switch name {
	case "allow-unconfigured", "dev", "force", "reset", "verbose", "compact", "tailscale-reset-on-exit",
		"raw-stream", "claude-cli-logs", "cli-backend-logs", "no-color", "json", "help", "h", "version":
		return true
	}
	return strings.HasPrefix(name, "no-")
}

// flagValued reports whether a flag of the gateway takes the next word whatever that is.
func flagValued(name string) bool {
	switch name {
	case "port", "bind", "token", "password", "password-file", "auth", "tailscale", "profile":
		return true
	}
	return false
}
