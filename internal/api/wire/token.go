package wire

// PathToken is where a system draws access tokens (RFC 6749 3.2).
const PathToken = "/oauth/token"

// SystemAudience names a system of the register as the receiver of a token.
func SystemAudience(system string) string { return AudiencePrefix + system }

// AudiencePrefix stands before the id of a system.
const AudiencePrefix = "urn:x-yinxin:system:"

// AccessToken is the answer of RFC 6749 5.1.
type AccessToken struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"` // seconds
	Scope   string `json:"scope,omitempty"`
}

// TokenError is the other one (5.2).
type TokenError struct {
	Code string `json:"error"`
	Why  string `json:"error_description,omitempty"`
}
