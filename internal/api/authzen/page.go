package authzen

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/authz"
)

// page is where an answer begins and how long it may be.
type page struct {
	after string
	limit int
	query [sm3.Size]byte // what a token is bound to
}

// pageToken is what a token carries. It needs no secret: it names a place in
// an order, and each answer is decided anew for whoever asks.
type pageToken struct {
	Query []byte `json:"q"`
	After string `json:"a"`
	Limit int    `json:"l"`
}

var errToken = errors.New("page.token is not one of this query; begin again without it")

// pageOf reads the member page. A token continues the very query that it was
// given out for, with its page size.
func pageOf(body object, caller string, kind authz.SearchKind) (page, error) {
	p := page{limit: maxPage}
	var err error
	if p.query, err = queryDigest(body, caller, kind); err != nil {
		return page{}, err
	}
	in, err := body.object("page")
	if err != nil {
		return page{}, err
	}
	token, err := in.text("page", "token")
	if err != nil {
		return page{}, err
	}
	if token != "" {
		if err := p.resume(token); err != nil {
			return page{}, err
		}
	}
	if in.has("limit") {
		var n int
		if json.Unmarshal(in["limit"], &n) != nil || n < 0 {
			return page{}, errors.New("page.limit must be an integer, 0 or more")
		}
		if n = min(n, maxPage); token != "" && n != p.limit {
			return page{}, errors.New("page.limit is another than the token's; begin again without the token")
		}
		p.limit = n
	}
	return p, nil
}

func (p *page) resume(token string) error {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	var t pageToken
	if err != nil || json.Unmarshal(raw, &t) != nil || subtle.ConstantTimeCompare(t.Query, p.query[:]) != 1 ||
		written("page", "token", t.After) != nil || t.Limit < 0 || t.Limit > maxPage {
		return errToken
	}
	p.after, p.limit = t.After, t.Limit
	return nil
}

func (p page) next(after string) string {
	raw, err := json.Marshal(pageToken{p.query[:], after, p.limit})
	if err != nil { // bytes, a text and a number always have JSON
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// queryDigest is over who asks and everything that decides the answer: the
// entities without the one searched for, and the context.
func queryDigest(body object, caller string, kind authz.SearchKind) (sum [sm3.Size]byte, err error) {
	q := map[string]any{"caller": caller, "kind": kind}
	for _, name := range []string{"subject", "action", "resource", "context"} {
		if !body.has(name) || name == string(authz.SearchAction) && kind == authz.SearchAction {
			continue
		}
		var v any
		if err := json.Unmarshal(body[name], &v); err != nil {
			return sum, fmt.Errorf("%s cannot be read", name)
		}
		if m, ok := v.(map[string]any); ok && name == string(kind) {
			delete(m, "id")
		}
		q[name] = v
	}
	raw, err := json.Marshal(q) // names in order
	if err != nil {
		return sum, fmt.Errorf("query: %w", err)
	}
	return sm3.Sum(raw), nil
}
