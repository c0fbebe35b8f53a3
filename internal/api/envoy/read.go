package envoy

import (
	"net/http"
	"strings"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

const (
	headerXFCC = "x-forwarded-client-cert"
	headerID   = "x-request-id"
)

// fromGRPC reads what Envoy says of a connection and its request. The header
// x-forwarded-client-cert is not read: source is Envoy's own word for the
// connection, the header may be a client's.
func fromGRPC(in *auth.CheckRequest) question {
	at := in.GetAttributes()
	h := at.GetRequest().GetHttp()
	q := question{
		method: h.GetMethod(), target: h.GetPath(), certificate: at.GetSource().GetCertificate(), principal: at.GetSource().GetPrincipal(),
		purpose: h.GetHeaders()[HeaderPurpose], id: h.GetHeaders()[headerID],
	}
	if q.id == "" {
		q.id = h.GetId()
	}
	for _, pair := range h.GetHeaderMap().GetHeaders() { // with encode_raw_headers instead of Headers
		value := pair.GetValue()
		if value == "" {
			value = string(pair.GetRawValue())
		}
		switch strings.ToLower(pair.GetKey()) {
		case HeaderPurpose:
			q.purpose = value
		case headerID:
			q.id = value
		}
	}
	return q
}

// fromHTTP reads a request of the plain protocol: the method and path of the
// request itself below our prefix, and the header in which the enforcement point
// states the client's certificate. It has to state it anew (SANITIZE_SET): a
// header with more than one hop is refused.
func fromHTTP(r *http.Request) question {
	target, _ := strings.CutPrefix(r.RequestURI, PathHTTP)
	q := question{method: r.Method, target: target, purpose: r.Header.Get(HeaderPurpose), id: r.Header.Get(headerID)}
	stated := r.Header.Values(headerXFCC)
	if len(stated) == 0 {
		return q
	}
	var ok bool
	q.certificate, ok = forwarded(strings.Join(stated, ","))
	q.broken = !ok
	return q
}

// forwarded is the certificate of an x-forwarded-client-cert header with one
// element: key=value pairs by semicolons, values in quotes where they need it.
func forwarded(header string) (certificate string, ok bool) {
	if len(header) > maxCertificate {
		return "", false
	}
	for rest := header; rest != ""; {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			return "", false
		}
		var value string
		if value, rest, ok = item(after); !ok {
			return "", false
		}
		if strings.EqualFold(strings.TrimSpace(key), "Cert") {
			if certificate != "" {
				return "", false
			}
			certificate = value
		}
	}
	return certificate, certificate != ""
}

// item takes one value off, and the semicolon behind it. A comma begins another
// hop.
func item(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, `;,"`)
		switch {
		case i < 0:
			return s, "", true
		case s[i] == ';':
			return s[:i], s[i+1:], true
		}
		return "", "", false
	}
	var out strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		case c == '"':
			rest = s[i+1:]
			if rest == "" {
				return out.String(), "", true
			}
			return out.String(), rest[1:], rest[0] == ';'
		default:
			out.WriteByte(c)
		}
	}
	return "", "", false
}
