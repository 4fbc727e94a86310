package access

import "net/url"

// OIDC are the settings of an OpenID Connect provider.
type OIDC struct {
	Issuer string
}

// host is what the login page calls the provider.
func (o *OIDC) host() string {
	if u, err := url.Parse(o.Issuer); err == nil {
		return u.Hostname()
	}
	return o.Issuer
}
