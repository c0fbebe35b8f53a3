package envoy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typ "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/yinxin-gov/yinxin/authz"
)

// Headers of an answer: to the program behind the enforcement point on a permit,
// to the client on a denial.
const (
	headerDecision    = "yinxin-decision"
	headerSubject     = "yinxin-subject"
	headerObligations = "yinxin-obligations" // JSON in ASCII
	headerReasons     = "yinxin-reasons"
)

// pair is a header.
type pair struct{ name, value string }

// headers of a verdict. Those of a permit are always all there, so that none that
// a client sent gets through in their place.
func (v verdict) headers() []pair {
	if v.code == "" {
		return []pair{{headerDecision, v.decision.ID}, {headerSubject, v.subject}, {headerObligations, ascii(append([]authz.Obligation{}, v.decision.Obligations...))}}
	}
	out := []pair{{"content-type", "application/json"}, {"cache-control", "no-store"}}
	if v.decision.ID != "" {
		out = append(out, pair{headerDecision, v.decision.ID}, pair{headerReasons, strings.Join(v.codes(), ",")})
	}
	return out
}

// metadata is for Envoy's own log: which decision, by which rules and facts. No
// client sees it.
func (v verdict) metadata() *structpb.Struct {
	text := structpb.NewStringValue
	out := &structpb.Struct{Fields: map[string]*structpb.Value{"code": text(v.code)}}
	if d := v.decision; d.ID != "" {
		for name, value := range map[string]string{
			"decision": d.ID, "reasons": strings.Join(v.codes(), ","), "engine": d.Digests.Engine, "core": d.Digests.Core, "site": d.Digests.Site, "facts": d.Digests.Facts,
		} {
			out.Fields[name] = text(value)
		}
	}
	return out
}

func (v verdict) codes() (out []string) {
	for _, r := range v.decision.Reasons {
		out = append(out, r.Code)
	}
	return out
}

// denial is what the client reads.
type denial struct {
	Decision bool   `json:"decision"`
	Code     string `json:"code"`
	ID       string `json:"id,omitempty"`
	Zh       string `json:"zh"`
	En       string `json:"en"`
	Reasons  []told `json:"reasons,omitempty"`
}

// told is a reason without the values that were compared.
type told struct {
	Code    string   `json:"code"`
	Clauses []string `json:"clauses"`
	Zh      string   `json:"zh"`
	En      string   `json:"en"`
}

// permit is what a program behind a proxy of the plain protocol may read.
type permit struct {
	Decision bool          `json:"decision"`
	ID       string        `json:"id"`
	Digests  authz.Digests `json:"digests"`
}

func (e *endpoint) body(v verdict) string {
	if v.code == "" {
		raw, err := json.Marshal(permit{true, v.decision.ID, v.decision.Digests})
		if err != nil { // texts only
			return "{}"
		}
		return string(raw)
	}
	t := e.Words.Get("envoy.problem." + v.code)
	d := denial{Code: v.code, ID: v.decision.ID, Zh: t.Zh, En: t.En}
	for _, r := range v.decision.Reasons {
		d.Reasons = append(d.Reasons, told{r.Code, r.Clauses, r.Zh, r.En})
	}
	raw, err := json.Marshal(d)
	if err != nil { // texts only
		return "{}"
	}
	return string(raw)
}

func (e *endpoint) toGRPC(v verdict) *auth.CheckResponse {
	var headers []*core.HeaderValueOption
	for _, h := range v.headers() {
		headers = append(headers, &core.HeaderValueOption{
			Header: &core.HeaderValue{Key: h.name, Value: h.value}, AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	if v.code == "" {
		return &auth.CheckResponse{
			Status: &status.Status{Code: int32(code.Code_OK)}, DynamicMetadata: v.metadata(),
			HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{Headers: headers}},
		}
	}
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(code.Code_PERMISSION_DENIED), Message: v.code}, DynamicMetadata: v.metadata(),
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status: &typ.HttpStatus{Code: typ.StatusCode(v.status)}, Headers: headers, Body: e.body(v),
		}},
	}
}

func (e *endpoint) writeHTTP(w http.ResponseWriter, v verdict) {
	for _, h := range v.headers() {
		w.Header().Set(h.name, h.value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(v.status)
	// A client that went away cannot be told anything more.
	_, _ = w.Write([]byte(e.body(v)))
}

// ascii is JSON that fits into a header.
func ascii(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "[]"
	}
	var out strings.Builder
	for _, c := range string(raw) {
		switch {
		case c < 0x80:
			out.WriteRune(c)
		case c < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			c -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		}
	}
	return out.String()
}
