package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// tokenPrefix starts every token, so that a scanner for secrets finds one that leaked.
const tokenPrefix = "clawsonar_"

// secret returns 32 random bytes as 43 characters.
func secret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// hash is what is kept of a secret. A slow hash would add nothing: 256 random bits
// cannot be guessed.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func tokenName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,59}$`) }

// NewToken makes a token and returns it: this is the only time that it is known.
func NewToken(ctx context.Context, s *store.Store, name string, role Role, now time.Time) (string, error) {
	if !tokenName().MatchString(name) {
		return "", fmt.Errorf("token %.80q: a name has 1 to 60 letters, digits and . _ @ - and starts with a letter or digit", name)
	}
	if role != View && role != Work {
		return "", fmt.Errorf("token %s: its role is %s or %s", name, View, Work)
	}
	token := tokenPrefix + secret()
	if err := s.Audit(ctx, store.AuditEntry{At: now, Via: string(ViaCommand), What: didMake, Object: name + " (" + role.String() + ")"}); err != nil {
		return "", err
	}
	err := s.AddToken(ctx, store.Token{Name: name, Role: role.String(), Made: now}, hash(token))
	if errors.Is(err, store.ErrNameTaken) {
		return "", fmt.Errorf("token %s: one of that name is good already: revoke it, or choose another name", name)
	}
	return token, err
}

// RevokeToken makes the token of a name good for nothing and ends its sessions.
func RevokeToken(ctx context.Context, s *store.Store, name string, now time.Time) error {
	if err := s.Audit(ctx, store.AuditEntry{At: now, Via: string(ViaCommand), What: didRevoke, Object: name}); err != nil {
		return err
	}
	err := s.RevokeToken(ctx, name, now)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("token %.80q: there is none of that name that is good", name)
	}
	return err
}

// byToken returns whose token it is, or store.ErrNotFound.
func (h *Hub) byToken(ctx context.Context, token string) (User, store.Token, error) {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 200 {
		return User{}, store.Token{}, store.ErrNotFound
	}
	sum := hash(token)
	t, kept, err := h.o.Store.TokenOf(ctx, sum)
	if err != nil {
		return User{}, t, err
	}
	// The database has compared it already, in whatever time that took: of a hash that
	// tells nothing of the secret.
	role, err := ParseRole(t.Role)
	if err != nil || subtle.ConstantTimeCompare([]byte(sum), []byte(kept)) != 1 {
		return User{}, t, store.ErrNotFound
	}
	if now := h.o.Now(); now.Sub(t.Used) >= time.Minute {
		h.later(func(ctx context.Context) error { return h.o.Store.UsedToken(ctx, t.ID, now) })
	}
	return User{Name: t.Name, Role: role, Via: ViaToken}, t, nil
}
