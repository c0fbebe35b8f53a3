// Package report makes reports of a verification out of one verify.Report: three
// levels of data and one printable page.
//
// Simple: the document with its SM3, and for each signature who, which seal,
// when, the verdict and the first reason, and what the document quotes with source,
// provider and consent. Detailed: beside it every check in its
// building block, coverage, warnings, the table of 电子签名法 art. 13 and the four
// factors of art. 8, the anchor that vouched with its accreditation, the class of
// key custody, and what software cannot prove. Diagnostic: beside that, what a
// second person needs to judge again: anchors, certificates, seal data,
// time-stamps, signed values, digests expected and found, and the options.
//
// The JSON is deterministic: one object, members in the order of the types here,
// lists in the order of the document. "schema" is yinxin.report/1; members may be
// added under that name, never changed. Verdicts, results and reasons are codes
// (signer/verify and the constants here); internal/text has the words. Texts of
// the document stand as they are, and only the page cleans them. Times are RFC
// 3339 in UTC, digests lower-case hex, DER base64. An absent value is "", an
// absent part is not there.
//
// A condition of art. 13 passes on evidence alone. What the document shows comes
// from the checks; who held the key and who acted comes from a Source outside.
// Keys in software prove conditions (1) and (2) for nobody. The sentence that a
// signature has the effect of a handwritten one stands on one path only: see
// effectOf. No report is a court finding (鉴定意见).
package report

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Schema names the form of the JSON.
const Schema = "yinxin.report/1"

// Level of a report.
type Level string

// Levels, each with all that the one before has.
const (
	Simple     Level = "simple"
	Detailed   Level = "detailed"
	Diagnostic Level = "diagnostic"
)

// ParseLevel reads the name of a level.
func ParseLevel(s string) (Level, bool) {
	switch l := Level(s); l {
	case Simple, Detailed, Diagnostic:
		return l, true
	}
	return "", false
}

// Input is what a report is made of.
type Input struct {
	Judged   verify.Report // made with Options.SelfTest, or condition (3) stays open
	Document io.ReaderAt   // the same bytes
	Size     int64
	Trust    *verify.Trust // the same anchors; nil: none
	JudgedAt time.Time     // what Options.Now said
	MadeAt   time.Time
	Version  string // of the program
	Source   Source // nil: nobody knows more than the document
	Level    Level  // "": Detailed
}

// Report is one report; members of a higher level are nil in a lower one.
type Report struct {
	Schema     string      `json:"schema"`
	Level      Level       `json:"level"`
	MadeAt     string      `json:"made_at"`
	Program    Program     `json:"program"`
	Nature     string      `json:"nature"` // always NatureTechnical
	Document   Document    `json:"document"`
	Signatures []Signature `json:"signatures"`
	// Citations: source, provider and consent of what the document quotes
	// (京政发〔2017〕37号 art. 19), at every level; absent where it quotes nothing.
	Citations []verify.Citation `json:"citations,omitempty"`
	Detail    *Overall          `json:"detail,omitempty"`
	Replay    *Replay           `json:"replay,omitempty"`
}

// NatureTechnical: technical evidence, not a court finding.
const NatureTechnical = "technical_evidence"

// Program is what made the report.
type Program struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Document is the file as a whole.
type Document struct {
	File      string           `json:"file"`
	Format    string           `json:"format"`
	Size      int64            `json:"size"`
	SM3       string           `json:"sm3"`
	Verdict   verify.Verdict   `json:"verdict"`
	Integrity verify.Integrity `json:"integrity"`
}

// Signature is one seal or signature.
type Signature struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"`
	Standard    string         `json:"standard"`
	Signer      string         `json:"signer"` // subject of the certificate
	Unit        string         `json:"unit"`   // its organisation
	Seal        string         `json:"seal"`
	SealID      string         `json:"seal_id"`
	SignedAt    string         `json:"signed_at"`    // as claimed
	TrustedTime string         `json:"trusted_time"` // "" when no time-stamp holds
	Verdict     verify.Verdict `json:"verdict"`
	First       *Cause         `json:"first_reason,omitempty"` // nil: nothing is wrong or open
	Effect      Effect         `json:"effect"`
	Detail      *Detail        `json:"detail,omitempty"`
}

// Cause is the check that a reader should look at first.
type Cause struct {
	Check  string        `json:"check"`
	Result verify.Result `json:"result"`
	Reason string        `json:"reason"`
}

// Detail of a signature.
type Detail struct {
	Blocks        []Block         `json:"blocks"`
	Coverage      verify.Coverage `json:"coverage"`
	Anchor        *Anchor         `json:"anchor,omitempty"` // that vouched for the signer; nil: none
	Accreditation Accreditation   `json:"accreditation"`
	Custody       Custody         `json:"custody"`
	Evidence      *Evidence       `json:"evidence,omitempty"`
	Article13     []Condition     `json:"article13"`
}

// Overall is the detail of the document.
type Overall struct {
	Blocks   []Block          `json:"blocks"` // checks of the document as a whole
	Article8 []Factor         `json:"article8"`
	Warnings []verify.Warning `json:"warnings"`
	Limits   []string         `json:"limits"` // what software cannot prove
}

// Make makes a report. Errors are those of reading the document and of the
// Source: a report without the evidence that there is would be a wrong one.
func Make(ctx context.Context, in Input) (Report, error) {
	if in.Level == "" {
		in.Level = Detailed
	}
	sum, err := SM3(in.Document, in.Size)
	if err != nil {
		return Report{}, fmt.Errorf("report: reading the document: %w", err)
	}
	r := Report{
		Schema: Schema, Level: in.Level, MadeAt: stamp(in.MadeAt), Program: Program{"yinxin", in.Version}, Nature: NatureTechnical,
		Document: Document{
			File: in.Judged.File, Format: in.Judged.Format, Size: in.Size, SM3: sum, Verdict: in.Judged.Verdict, Integrity: in.Judged.Integrity,
		},
		Signatures: []Signature{}, Citations: slices.Clone(in.Judged.Citations),
	}
	for i := range in.Judged.Signatures {
		s, err := in.signature(ctx, &in.Judged.Signatures[i], sum)
		if err != nil {
			return Report{}, err
		}
		r.Signatures = append(r.Signatures, s)
	}
	r.Detail = &Overall{Blocks: blocks(in.Judged.Checks), Article8: article8(&in.Judged, r.Signatures), Warnings: append([]verify.Warning{}, in.Judged.Warnings...), Limits: limits()}
	if in.Level == Diagnostic {
		if r.Replay, err = in.replay(); err != nil {
			return Report{}, err
		}
	}
	return r.At(in.Level), nil
}

// At leaves out what a lower level does not show; the report itself stays.
func (r Report) At(l Level) Report {
	if r.Level = l; l != Diagnostic {
		r.Replay = nil
	}
	if l == Simple {
		r.Detail, r.Signatures = nil, slices.Clone(r.Signatures)
		for i := range r.Signatures {
			r.Signatures[i].Detail = nil
		}
	}
	return r
}

func (in *Input) signature(ctx context.Context, s *verify.Signature, document string) (Signature, error) {
	out := Signature{
		ID: s.ID, Kind: s.Kind, Standard: s.Standard, Signer: s.Signer, Unit: unit(s.Material), Seal: s.Seal, SealID: s.SealID,
		SignedAt: s.SignedAt, TrustedTime: s.TrustedTime, Verdict: s.Verdict, First: first(s.Checks),
	}
	d := &Detail{Blocks: blocks(s.Checks), Coverage: s.Coverage, Custody: CustodyUnknown}
	if in.Source != nil {
		var err error
		if d.Evidence, err = in.Source.Evidence(ctx, document, *s); err != nil {
			return Signature{}, fmt.Errorf("report: evidence of signature %q: %w", s.ID, err)
		}
	}
	if d.Evidence != nil && d.Evidence.Custody != "" {
		d.Custody = d.Evidence.Custody
	}
	if der := s.Material.Anchor(verify.CheckChain); der != nil {
		d.Anchor = &Anchor{SM3: fingerprint(der), Subject: subject(der)}
		d.Accreditation = accreditationOf(in.Trust.Licences(der), s)
	} else {
		d.Accreditation = Accreditation{Status: AccreditationUnknown}
	}
	d.Article13 = article13(&in.Judged, s, d)
	out.Effect, out.Detail = effectOf(&in.Judged, s, d), d
	return out, nil
}

// first is the first check that fails, or else the first that cannot tell.
func first(checks []verify.Check) *Cause {
	for _, want := range []verify.Result{verify.Fail, verify.CannotTell} {
		for _, c := range checks {
			if c.Result == want {
				return &Cause{c.ID, c.Result, c.Reason}
			}
		}
	}
	return nil
}

// limits is what software cannot prove, whatever the checks say.
func limits() []string {
	return []string{LimitCustody, LimitCoercion, LimitShown, LimitContent, LimitModule, LimitFinding}
}

// Limits of every report.
const (
	LimitCustody  = "custody"  // where the key physically was
	LimitCoercion = "coercion" // that nobody forced the signer or used his token
	LimitShown    = "shown"    // what the signer saw
	LimitContent  = "content"  // that what is written is true or lawful
	LimitModule   = "module"   // the program is no certified cryptographic module
	LimitFinding  = "finding"  // technical evidence, not a court finding
)

// SM3 is the digest by which a report names a document.
func SM3(r io.ReaderAt, size int64) (string, error) {
	h := sm3.New()
	if n, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return "", err
	} else if n != size {
		return "", io.ErrUnexpectedEOF
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func fingerprint(der []byte) string {
	sum := sm3.Sum(der)
	return hex.EncodeToString(sum[:])
}

func subject(der []byte) string {
	if c, err := smx509.ParseCertificate(der); err == nil {
		return text.Name(c.Subject)
	}
	return ""
}

func unit(m *verify.Material) string {
	if m == nil {
		return ""
	}
	if c, err := smx509.ParseCertificate(m.Signer); err == nil && len(c.Subject.Organization) > 0 {
		return c.Subject.Organization[0]
	}
	return ""
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
