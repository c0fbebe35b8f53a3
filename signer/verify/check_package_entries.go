package verify

import (
	"context"
	"strings"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// checkEntries: where a package has a signed list of all its files, every file is
// in it and every listed one is there (防夹带). The list holds names and no
// digests: it protects nothing that a seal does not, and finds what a seal need
// not notice.
func checkEntries(ctx context.Context, opt *Options, p *ofd.Package) outcome {
	const clause = "GM/T 0099-2020, 7.4 and annex D"
	e := p.Entries()
	if e == nil {
		return skip(CheckEntries, clause, ReasonNoEntries)
	}
	s := &subject{ctx: ctx, opt: opt, pkg: p, now: opt.Now(), sig: &ofd.Signature{
		ID: "OFDEntries", Type: ofd.TypeSign, Path: e.Path, ValuePath: e.ValuePath, DateTime: e.Created, Broken: e.Broken,
	}}
	switch {
	case e.Broken:
		return fail(CheckEntries, clause, ofd.ProblemXML, e.Path, effAltered)
	case e.ValuePath == "":
		return fail(CheckEntries, clause, ReasonEntriesValue, e.Path, effAltered)
	case len(e.Missing) > 0:
		return fail(CheckEntries, clause, ReasonEntryMissing, list(e.Missing), effAltered)
	}
	var alien, signatures []string
	for _, f := range e.Smuggled {
		if p.OnlySignature(f) {
			signatures = append(signatures, f)
		} else {
			alien = append(alien, f)
		}
	}
	if len(alien) > 0 {
		return fail(CheckEntries, clause, ReasonSmuggled, list(alien), effAltered)
	}
	if o := s.judgeEntries(); o.effect != effNone {
		o.ID, o.Clause = CheckEntries, clause
		return o
	}
	if len(signatures) > 0 {
		// Sealing software that does not know the list adds its files after it.
		return cannot(CheckEntries, clause, ReasonEntriesLater, list(signatures))
	}
	return pass(CheckEntries, clause, e.Path)
}

// judgeEntries is the worst that can be said of the list's own signature, a GB/T
// 35275 message over SM3 of the list.
func (s *subject) judgeEntries() outcome {
	s.readValue()
	if s.form != "" {
		return s.checkFormat()
	}
	if s.ses != nil { // a seal is no signature of a list
		return cannot(CheckCMS, clauseCMS, ReasonType, s.sig.ValuePath)
	}
	var worst outcome
	for _, run := range []func(*subject) outcome{
		checkStructureOfValue, checkValue, checkDataHash, checkCertForm, checkChain, checkUsage, checkCertPeriod, checkRevocation,
	} {
		if o := run(s); o.effect > worst.effect {
			worst = o
		}
	}
	return worst
}

// list is the beginning of a list of paths, as evidence.
func list(paths []string) string { return strings.Join(paths[:min(len(paths), maxEvidence)], "; ") }
