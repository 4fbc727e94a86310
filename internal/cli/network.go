package cli

import (
	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// networkFlags adds the flags about how connections are made.
func networkFlags(f *flags, o *audit.Network) {
	f.group("Network")
	f.text(&o.Proxy, "proxy", "", "URL", "connect through socks5://HOST:PORT or http://HOST:PORT; names are resolved here, and the scope applies to the address that the proxy is asked for", checked(wire.ParseProxy)).
		mustName("it says how connections are made")
	f.text(&o.SourceIP, "source-ip", "", "ADDRESS", "connect from this address of this machine", checked(audit.ParseAddress)).
		mustName("it says how connections are made")
	f.text(&o.Interface, "interface", "", "NAME", "connect through this network interface (Linux)", nil).
		mustName("it says how connections are made")
	f.text(&o.Resolver, "resolver", "", "ADDRESS[:PORT]", "resolve names with this DNS server", checked(audit.ParseResolver)).
		mustName("it says how connections are made")
	f.list(&o.Headers, "header", "H", "'NAME: VALUE'", "send this header with every HTTP request; credentials and identities are refused; repeatable", checked(wire.ParseHeader)).
		mustName("it says what is sent")
}
