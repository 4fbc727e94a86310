package inspect

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// launchdReader reads property lists of agents and daemons.
func launchdReader() reader {
	return reader{
		kind: deploy.KindLaunchd,
		match: func(name string, data []byte) bool {
			return strings.HasSuffix(name, ".plist") && (bytes.Contains(data, []byte("ProgramArguments")) || bytes.HasPrefix(data, []byte("bplist")))
		},
		read: readLaunchd,
	}
}

func readLaunchd(s *source) error {
	if bytes.HasPrefix(s.data, []byte("bplist")) {
		return &strict.Error{File: s.name, Line: 1, Err: errors.New("is a property list in binary form")}
	}
	root, err := plist(s.name, s.data)
	if err != nil {
		return err
	}
	env := map[string]deploy.Value{}
	if vars := root.Get("EnvironmentVariables"); vars != nil {
		for _, m := range vars.Members {
			env[m.Key] = valueOf(m.Value)
			s.envSecret(deploy.KindLaunchd, m.Key, env[m.Key])
		}
	}
	look := func(name string) deploy.Value { return env[name] }
	var words []deploy.Value
	for _, w := range items(root.Get("ProgramArguments")) {
		words = append(words, valueOf(w))
	}
	if len(words) == 0 {
		return nil
	}
	s.commandDoors(words, deploy.Host, look)
	c := gatewayCommandIn(words, look)
	candidate := c == nil && s.startsScript(words)
	if candidate {
		c = &deploy.Command{Args: words, Pos: words[0].Pos}
	}
	if c == nil {
		return nil
	}
	s.flagSecrets(deploy.KindLaunchd, c)
	g := &deploy.Gateway{
		Space: deploy.Host, Name: scalar(root.Get("Label")), Kind: deploy.KindLaunchd, Pos: c.Pos, Container: deploy.No,
		Command: c, Env: env, Candidate: candidate,
	}
	user := root.Get("UserName")
	switch {
	case scalar(user) == "root":
		g.Root = &user.Pos
	case user == nil && strings.Contains("/"+s.name, "/LaunchDaemons/"):
		pos := c.Pos
		g.Root = &pos
	}
	s.m.Gateways = append(s.m.Gateways, g)
	s.addFile(s.name, deploy.UnitFile)
	return nil
}

// plist reads a property list in XML. Entities of its own are not expanded.
func plist(name string, data []byte) (*json5.Node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	fail := func(text string) error {
		line, _ := d.InputPos()
		return &strict.Error{File: name, Line: line, Err: errors.New(text)}
	}
	root := &json5.Node{Kind: json5.Array}
	open := []*json5.Node{root}
	keys := []json5.Member{{}}
	count := 0
	var text strings.Builder
	for {
		line, column := d.InputPos()
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fail("is not valid XML")
		}
		if count++; count > maxTree {
			return nil, fail("too many values")
		}
		at := event.Pos{File: name, Line: line, Column: column}
		switch token := token.(type) {
		case xml.StartElement:
			text.Reset()
			n := &json5.Node{Kind: json5.String, Pos: at, End: at}
			switch token.Name.Local {
			case "plist", "key":
				continue
			case "dict":
				n.Kind = json5.Object
			case "array":
				n.Kind = json5.Array
			case "true", "false":
				n.Kind, n.Bool = json5.Bool, token.Name.Local == "true"
			}
			if len(open) > maxDepth {
				return nil, fail("too deep within each other")
			}
			parent, key := open[len(open)-1], &keys[len(keys)-1]
			switch parent.Kind {
			case json5.Array:
				parent.Items = append(parent.Items, n)
			case json5.Object:
				parent.Members = append(parent.Members, json5.Member{Key: key.Key, Pos: key.Pos, Value: n})
			}
			open, keys = append(open, n), append(keys, json5.Member{})
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			switch token.Name.Local {
			case "plist":
			case "key":
				keys[len(keys)-1] = json5.Member{Key: text.String(), Pos: at}
			default:
				n := open[len(open)-1]
				if n.Kind == json5.String {
					n.Text = text.String()
				}
				if len(open) > 1 {
					open, keys = open[:len(open)-1], keys[:len(keys)-1]
				}
			}
			text.Reset()
		}
	}
	if len(root.Items) == 0 {
		return nil, nil
	}
	return root.Items[0], nil
}
