package archive

import (
	"time"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Property is one of the four that an archive checks on receipt (四性,
// 档案法实施条例 art. 40; DA/T 70-2018).
type Property string

// The four properties.
const (
	Authenticity Property = "authenticity" // 真实性
	Integrity    Property = "integrity"    // 完整性
	Usability    Property = "usability"    // 可用性
	Security     Property = "security"     // 安全性
)

// Properties lists the four in the order of the regulation.
func Properties() []Property { return []Property{Authenticity, Integrity, Usability, Security} }

// Ids of the checks, stable, in the order in which they stand in a report.
const (
	CheckContainer  = "archive.container"
	CheckManifest   = "archive.manifest"
	CheckFiles      = "archive.files"
	CheckSignature  = "archive.signature"
	CheckSigner     = "archive.signer"
	CheckStamp      = "archive.timestamp"
	CheckRenewals   = "archive.renewals"
	CheckProtection = "archive.protection"
	CheckStatus     = "archive.revocation"
	CheckDocument   = "archive.document"
	CheckReport     = "archive.report"
	CheckParts      = "archive.parts"
	CheckFormat     = "archive.format"
	CheckMetadata   = "archive.metadata"
	CheckSecrecy    = "archive.secrecy"
	CheckRendition  = "archive.rendition"
	CheckLedger     = "archive.ledger"
)

// plan says to which property a check belongs, and its clause.
var plan = []struct {
	id       string
	property Property
	clause   string
}{
	{CheckContainer, Security, "DA/T 70-2018; GB/T 22239-2019"},
	{CheckManifest, Integrity, "DA/T 70-2018; 电子签名法 art. 5 (2)"},
	{CheckFiles, Integrity, "电子签名法 art. 5 (2); GB/T 32905"},
	{CheckSignature, Authenticity, "GB/T 35275-2017; 档案法实施条例 art. 39"},
	{CheckSigner, Authenticity, "GB/T 20518-2018; 档案法实施条例 art. 39"},
	{CheckStamp, Authenticity, "GB/T 20520-2006; RFC 3161"},
	{CheckRenewals, Authenticity, "DA/T 97-2023; RFC 4998, 5.3"},
	{CheckProtection, Security, "DA/T 97-2023; RFC 4998, 5.3"},
	{CheckStatus, Authenticity, "RFC 5280, 6.3; RFC 6960; 电子签名法 art. 22"},
	{CheckDocument, Authenticity, "电子签名法 art. 8, 13"},
	{CheckReport, Integrity, "X11-12"},
	{CheckParts, Integrity, "DA/T 97-2023"},
	{CheckFormat, Usability, "电子签名法 art. 5 (1), 6 (1), 6 (2)"},
	{CheckMetadata, Usability, "电子签名法 art. 6 (3); DA/T 85-2019"},
	{CheckSecrecy, Security, "密码法 art. 6 to 8"},
	{CheckRendition, Usability, "电子签名法 art. 4"},
	{CheckLedger, Authenticity, "档案法实施条例 art. 39; X11-31"},
}

// Checks lists every check id.
func Checks() []string {
	out := make([]string, len(plan))
	for i, p := range plan {
		out[i] = p.id
	}
	return out
}

// Reasons of results that are no plain pass; those of the container stand there.
const (
	ReasonNotJudged    = "not.judged" // needs a part that another check refused
	ReasonMissing      = "file.missing"
	ReasonMalformed    = "file.malformed"
	ReasonChanged      = "file.changed"
	ReasonExtra        = "file.extra"
	ReasonSignature    = "signature.mismatch"
	ReasonUsage        = "cert.usage"
	ReasonNoAnchor     = "trust.none"
	ReasonUntrusted    = "trust.chain"
	ReasonPeriod       = "time.period"
	ReasonFuture       = "time.future"
	ReasonUnproven     = "time.unproven" // the certificate has ended and no token shows that it was used before
	ReasonNoStamp      = "timestamp.none"
	ReasonStampBad     = "timestamp.unreadable"
	ReasonStampUnknown = "timestamp.not_judged"
	ReasonStampImprint = "timestamp.imprint"
	ReasonStampValue   = "timestamp.signature"
	ReasonNoRenewal    = "renewal.none"
	ReasonOrder        = "renewal.order"
	ReasonGap          = "renewal.gap"     // a token had ended before the next one covered it
	ReasonOverdue      = "renewal.overdue" // the newest one has ended
	ReasonDue          = "renewal.due"     // it ends soon; changes no verdict
	ReasonRevoked      = "revocation.revoked"
	ReasonRevokedLater = "revocation.later"
	ReasonNoStatus     = "revocation.none"
	ReasonDocument     = "document.invalid"
	ReasonUnsure       = "document.indeterminate"
	ReasonUnsigned     = "document.unsigned"
	ReasonUnreadable   = "document.unreadable"
	ReasonDiffers      = "report.differs"
	ReasonSecret       = "secrecy.marked"
	ReasonNoRendition  = "rendition.none"
	ReasonNoLedger     = "ledger.none"
	ReasonLedger       = "ledger.invalid"
	ReasonLedgerOther  = "ledger.other" // no entry is about this document
)

// Reasons lists every reason.
func Reasons() []string {
	return []string{
		ReasonForm, ReasonName, ReasonDuplicate, ReasonChecksum, ReasonNotJudged, ReasonMissing, ReasonMalformed, ReasonChanged, ReasonExtra,
		ReasonSignature, ReasonUsage, ReasonNoAnchor, ReasonUntrusted, ReasonPeriod, ReasonFuture, ReasonUnproven, ReasonNoStamp,
		ReasonStampBad, ReasonStampUnknown, ReasonStampImprint, ReasonStampValue, ReasonNoRenewal, ReasonOrder, ReasonGap, ReasonOverdue, ReasonDue,
		ReasonRevoked, ReasonRevokedLater, ReasonNoStatus, ReasonDocument, ReasonUnsure, ReasonUnsigned, ReasonUnreadable, ReasonDiffers,
		ReasonSecret, ReasonNoRendition, ReasonNoLedger, ReasonLedger, ReasonLedgerOther,
	}
}

// Check is one check with its property. A skipped one lowers nothing.
type Check struct {
	verify.Check
	Property Property `json:"property"`
}

// Standing is a property with its result: the worst of its checks.
type Standing struct {
	Property Property      `json:"property"`
	Result   verify.Result `json:"result"`
	Checks   []string      `json:"checks"` // those that do not pass
}

// Report is the outcome of Verify: data in no language.
type Report struct {
	File     string         `json:"file"`
	Format   string         `json:"format"` // "yinxin-archive/1"
	Verdict  verify.Verdict `json:"verdict"`
	Document string         `json:"document"`     // path inside the package
	SM3      string         `json:"document_sm3"` // of the original
	Signer   string         `json:"signer"`       // subject of the archiving certificate
	// ArchivedAt is that of the first token that holds up to an anchor and without a
	// gap until now: package and document existed then as they are. "" when none does.
	ArchivedAt string `json:"archived_at"`
	// RenewBy is when the newest token stops protecting; "" without one.
	RenewBy    string         `json:"renew_by"`
	Renewals   int            `json:"renewals"`
	Properties []Standing     `json:"properties"`
	Checks     []Check        `json:"checks"`
	Metadata   *Metadata      `json:"metadata,omitempty"`
	Verified   *verify.Report `json:"document_report,omitempty"` // of the document, judged again
}

// Is reports whether a check has a result.
func (r *Report) Is(id string, result verify.Result, reason string) bool {
	for _, c := range r.Checks {
		if c.ID == id {
			return c.Result == result && c.Reason == reason
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// finding is what a check came to.
type finding struct {
	result verify.Result
	reason string
	detail string
}

func pass(detail string) finding            { return finding{verify.Pass, "", detail} }
func fail(reason, detail string) finding    { return finding{verify.Fail, reason, detail} }
func cannot(reason, detail string) finding  { return finding{verify.CannotTell, reason, detail} }
func skipped(reason, detail string) finding { return finding{verify.Skipped, reason, detail} }

// conclude puts the findings in their order. A check without a finding could not be
// reached: that is never good.
func (r *Report) conclude(found map[string]finding) {
	r.Verdict = verify.Valid
	worst := map[Property]*Standing{}
	for _, p := range Properties() {
		worst[p] = &Standing{Property: p, Result: verify.Pass, Checks: []string{}}
	}
	for _, p := range plan {
		f, ok := found[p.id]
		if !ok {
			f = cannot(ReasonNotJudged, "")
		}
		r.Checks = append(r.Checks, Check{verify.Check{ID: p.id, Result: f.result, Clause: p.clause, Reason: f.reason, Detail: f.detail}, p.property})
		s := worst[p.property]
		switch f.result {
		case verify.Fail:
			r.Verdict, s.Result = verify.Invalid, verify.Fail
		case verify.CannotTell:
			if r.Verdict == verify.Valid {
				r.Verdict = verify.Indeterminate
			}
			if s.Result == verify.Pass {
				s.Result = verify.CannotTell
			}
		default:
			continue
		}
		s.Checks = append(s.Checks, p.id)
	}
	for _, p := range Properties() {
		r.Properties = append(r.Properties, *worst[p])
	}
}
