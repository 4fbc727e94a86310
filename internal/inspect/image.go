package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/release"
)

// imageRelease returns the release that the tag of an image names, and Unset if it names none.
// Variants such as "-slim" or "-browser" are left out.
func imageRelease(image deploy.Value) deploy.Value {
	ref, _, _ := strings.Cut(image.Text, "@")
	colon := strings.LastIndexByte(ref, ':')
	if colon < strings.LastIndexByte(ref, '/') || colon < 0 || !mentionsProduct(ref) {
		return deploy.Value{}
	}
	for tag := ref[colon+1:]; tag != ""; {
		if _, err := release.Parse(tag); err == nil {
			image.Text = tag
			return image
		}
		dash := strings.LastIndexByte(tag, '-')
		if dash < 0 {
			break
		}
		tag = tag[:dash]
	}
	return deploy.Value{}
}

// isGatewayImage reports whether an image is, by its name, one of the product that starts a
// gateway if it is told nothing else: not one of the many dashboards and sandboxes beside it.
func isGatewayImage(ref string) bool {
	ref, _, _ = strings.Cut(strings.ToLower(ref), "@")
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	if !mentionsProduct(ref) {
		return false
	}
	for _, other := range []string{"dashboard", "admin", "studio", "sandbox", "browser", "chrome", "exporter", "monitor", "proxy", "cli",
		"webui", "panel", "metrics", "backup", "operator", "mission", "manager", "controller", "nginx", "caddy", "node-host"} {
		for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
			if part == other {
				return false
			}
		}
	}
	return true
}

// imageCommand is what an image of the product starts by itself.
func imageCommand(image deploy.Value) *deploy.Command {
	word := func(text string) deploy.Value {
		return deploy.Value{State: deploy.Assumed, Text: text, Pos: image.Pos}
	}
	words := []deploy.Value{word("node"), word("openclaw.mjs"), word("gateway"), word("--allow-unconfigured")}
	return gatewayCommand(words)
}

// containerCommand finds the gateway in what a container starts: its entrypoint and command, of
// which nil stands for the image's own. known is false if the image decides.
func containerCommand(image deploy.Value, entrypoint, command []deploy.Value, env lookup) (c *deploy.Command, known bool) {
	product := isGatewayImage(image.Text)
	switch {
	case len(entrypoint) > 0:
		return gatewayCommandIn(append(append([]deploy.Value{}, entrypoint...), command...), env), true
	case len(command) > 0:
		if c := gatewayCommandIn(command, env); c != nil {
			return c, true
		}
		if first := command[0].Text; first == "gateway" || isOption(first) && product {
			// Arguments of the image's entrypoint, which is the product's program.
			program := deploy.Value{State: deploy.Assumed, Text: "openclaw", Pos: command[0].Pos}
			if c := gatewayCommandIn(append([]deploy.Value{program}, command...), env); c != nil {
				return c, mentionsProduct(image.Text)
			}
		}
		return nil, true
	case product:
		return imageCommand(image), true
	}
	return nil, false
}

// programWords are the words that a container of a well-known program's image runs: the
// entry point of such an image is the program, and its command only has the arguments.
func programWords(image deploy.Value, entrypoint, command []deploy.Value) []deploy.Value {
	if len(entrypoint) > 0 {
		return append(slices.Clone(entrypoint), command...)
	}
	repository, _, _ := strings.Cut(image.Text, "@")
	program, _, _ := strings.Cut(path.Base(repository), ":")
	switch program {
	case "cloudflared", "ngrok", "socat", "frpc", "cpolar", "autossh":
		if len(command) > 0 && base(command[0].Text) != program {
			return append([]deploy.Value{{State: deploy.Set, Text: program, Pos: command[0].Pos}}, command...)
		}
	}
	return command
}
