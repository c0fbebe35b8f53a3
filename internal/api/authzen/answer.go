package authzen

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/authz"
)

// failure is an answer that is no decision.
type failure struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// failed tells nothing of the cause: that stands in the service's own log.
func failed() *failure {
	return &failure{http.StatusInternalServerError, "no decision could be made; treat this as a denial"}
}

// write sends the message string of the standard, or to whom asks for JSON, as
// answers are, an object with it.
func (f *failure) write(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r.Header.Values("Accept")) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(f.Status)
		// A client that went away cannot be told anything more.
		_ = json.NewEncoder(w).Encode(f)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.Status)
	// A client that went away cannot be told anything more.
	_, _ = w.Write([]byte(f.Message + "\n"))
}

// wantsJSON: the caller names JSON in what it accepts.
func wantsJSON(accept []string) bool {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || media != "application/json" {
			continue
		}
		if q, err := strconv.ParseFloat(params["q"], 64); err != nil || q > 0 { // no weight is the highest
			return true
		}
	}
	return false
}

// response is the Decision of the standard; the contents of context are ours.
type response struct {
	Decision bool `json:"decision"`
	Context  any  `json:"context,omitempty"`
}

type answerContext struct {
	ID          string             `json:"id"`
	ReasonCodes []string           `json:"reason_codes"`
	Reasons     []authz.Reason     `json:"reasons"`
	Obligations []authz.Obligation `json:"obligations"`
	Digests     authz.Digests      `json:"digests"`
	Ledger      position           `json:"ledger"`
}

// position is where the decision stands on the ledger.
type position struct {
	Shard uint32 `json:"shard"`
	Seq   uint64 `json:"seq"`
}

// failureContext explains an item of a batch that could not be evaluated.
type failureContext struct {
	Error *failure `json:"error"`
}

// contextOf is what every door says about a decision.
func contextOf(d authz.Decision) answerContext {
	c := answerContext{
		ID: d.ID, ReasonCodes: []string{}, Reasons: []authz.Reason{}, Obligations: []authz.Obligation{},
		Digests: d.Digests, Ledger: position{d.Receipt.Shard, d.Receipt.Seq},
	}
	for _, r := range d.Reasons {
		c.ReasonCodes = append(c.ReasonCodes, r.Code)
	}
	c.Reasons = append(c.Reasons, d.Reasons...)
	c.Obligations = append(c.Obligations, d.Obligations...)
	return c
}

func answer(d authz.Decision) response { return response{d.Allow, contextOf(d)} }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A client that went away cannot be told anything more.
	_ = json.NewEncoder(w).Encode(v)
}
