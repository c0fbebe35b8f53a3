package verify

// Verdict of a signature or a document (design §9).
type Verdict string

// Verdicts, from best to worst.
const (
	Valid         Verdict = "valid"
	Indeterminate Verdict = "indeterminate"
	Invalid       Verdict = "invalid"
)

func (v Verdict) join(o Verdict) Verdict {
	if v == Invalid || o == Invalid {
		return Invalid
	}
	if v == Indeterminate || o == Indeterminate {
		return Indeterminate
	}
	return Valid
}

// Integrity of a document (design §9).
type Integrity string

// Integrities. Intact: what is signed is unchanged and everything reachable is
// covered. Partial: unchanged, but not everything is covered. Altered: a digest,
// a signature or the structure fails.
const (
	Intact   Integrity = "intact"
	Partial  Integrity = "partial"
	Altered  Integrity = "altered"
	Unsigned Integrity = "unsigned"
)

func (i Integrity) join(o Integrity) Integrity {
	switch {
	case i == Altered || o == Altered:
		return Altered
	case i == Partial || o == Partial:
		return Partial
	}
	return Intact
}

// Result of one check.
type Result string

// Results.
const (
	Pass       Result = "pass"
	Fail       Result = "fail"
	CannotTell Result = "indeterminate"
	Skipped    Result = "skipped"
)

// Report is the object of `yinxin verify --json` (design §9).
type Report struct {
	File       string      `json:"file"`
	Format     string      `json:"format"` // "ofd", "pdf" or "cms"
	Verdict    Verdict     `json:"verdict"`
	Integrity  Integrity   `json:"integrity"`
	Signatures []Signature `json:"signatures"`
	Warnings   []Warning   `json:"warnings"`
	Checks     []Check     `json:"checks"`              // of the document as a whole
	Citations  []Citation  `json:"citations,omitempty"` // resources that the document quotes
}

// Signature is the part of one seal or signature.
type Signature struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`     // "seal", "sign", "pdf": a CMS signature in a PDF, "cms": on a file of any kind
	Standard string `json:"standard"` // "" when unknown
	Signer   string `json:"signer"`   // subject of the certificate
	Seal     string `json:"seal"`     // name of the seal
	SealID   string `json:"seal_id,omitempty"`
	SignedAt string `json:"signed_at"` // RFC 3339, UTC; "" when unknown
	// TrustedTime is that of a time-stamp that holds up to an anchor: the
	// signature existed then.
	TrustedTime string   `json:"trusted_time,omitempty"`
	Verdict     Verdict  `json:"verdict"`
	Checks      []Check  `json:"checks"`
	Coverage    Coverage `json:"coverage"`
	// Revision is nil for a PDF and where nothing can be told.
	Revision *Revision `json:"revision,omitempty"`
	// Material is what the judgement rested on; nil for what is not read at all.
	Material *Material `json:"-"`
}

// Coverage lists files of the package by absolute path, or byte ranges of a PDF or
// of the content of a CMS signature.
type Coverage struct {
	Covered   []string `json:"covered"`
	Uncovered []string `json:"uncovered"` // reachable, but not protected
}

// Check is one check: Reason is a code when the result is not a plain pass,
// Detail the evidence (paths, digests, times), in no language.
type Check struct {
	ID     string `json:"id"`
	Result Result `json:"result"`
	Clause string `json:"clause"`
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail"`
}

// Warning is an observation that changes no verdict.
type Warning struct {
	Code      string `json:"code"`
	Path      string `json:"path,omitempty"`
	Signature string `json:"signature,omitempty"`
}

func (r *Report) warn(code, path, sig string) {
	if len(r.Warnings) == maxWarnings {
		return
	}
	w := Warning{code, path, sig}
	for _, have := range r.Warnings {
		if have == w {
			return
		}
	}
	r.Warnings = append(r.Warnings, w)
}

// maxWarnings keeps a report readable whatever the document holds.
const maxWarnings = 500

// effect is what an outcome means for verdict and integrity, from harmless to
// worst.
type effect int

const (
	effNone    effect = iota
	effUnsure         // indeterminate, integrity untouched
	effPartial        // indeterminate, something is not covered
	effInvalid        // invalid, integrity untouched: periods, certificate list
	effAltered        // invalid, altered
)

func (e effect) verdict() Verdict {
	switch e {
	case effNone:
		return Valid
	case effUnsure, effPartial:
		return Indeterminate
	}
	return Invalid
}

func (e effect) integrity() Integrity {
	switch e {
	case effAltered:
		return Altered
	case effPartial:
		return Partial
	}
	return Intact
}

// outcome is a check with its effect.
type outcome struct {
	Check
	effect effect
}

func pass(id, clause, detail string) outcome {
	return outcome{Check{ID: id, Result: Pass, Clause: clause, Detail: detail}, effNone}
}

func skip(id, clause, reason string) outcome {
	return outcome{Check{ID: id, Result: Skipped, Clause: clause, Reason: reason}, effNone}
}

func cannot(id, clause, reason, detail string) outcome {
	return outcome{Check{id, CannotTell, clause, reason, detail}, effUnsure}
}

func fail(id, clause, reason, detail string, e effect) outcome {
	return outcome{Check{id, Fail, clause, reason, detail}, e}
}
