package wire

// Problem is the RFC 9457 answer to a refusal or failure. Code is stable and is
// what a program branches on; Detail and Zh are for people. It never holds the
// internal cause, nor a value that the client sent.
type Problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code" doc:"stable name of the outcome"`
	Zh        string       `json:"zh" doc:"the detail in Chinese"`
	RequestID string       `json:"request_id,omitempty" doc:"stands in the service's log, and in X-Request-ID of every answer"`
	Fields    []FieldError `json:"fields,omitempty" doc:"what does not fit in the request"`
	Reasons   []Reason     `json:"reasons,omitempty" doc:"grounds of a refused decision"`
	Decision  string       `json:"decision_id,omitempty"`
	Import    *Imported    `json:"import,omitempty" doc:"what a refused file of the catalogue would do, and its faults by line"`
	Seq       *uint64      `json:"ledger_seq,omitempty" doc:"where the refusal stands on the ledger"`
}

// FieldError says which part of a request does not fit.
type FieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Reason is one ground of a refused decision; see authz.Reason.
type Reason struct {
	Code    string   `json:"code"`
	Clauses []string `json:"clauses"`
	Field   string   `json:"field"`
	Detail  string   `json:"detail,omitempty"`
	Zh      string   `json:"zh"`
	En      string   `json:"en"`
	FixZh   string   `json:"fix_zh"`
	FixEn   string   `json:"fix_en"`
	Guard   string   `json:"guard"`
}
