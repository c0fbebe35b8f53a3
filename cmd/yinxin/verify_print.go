package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// printReport is the human form: verdict first, then every signature with its
// checks, then what stays open.
func (u *ui) printReport(rep verify.Report) {
	u.line("", "verify.line.verdict", data("mark", mark(rep.Verdict)), data("file", rep.File), word("verdict", "verify.verdict."+string(rep.Verdict)))
	u.line("", "verify.line.integrity", word("integrity", "verify.integrity."+string(rep.Integrity)))
	u.printCitations(rep.Citations)
	u.line("\n", "verify.line.document")
	u.printChecks(rep.Checks)
	for _, s := range rep.Signatures {
		standard := data("standard", s.Standard)
		if s.Standard == "" {
			standard = word("standard", "verify.standard.unknown")
		}
		u.line("\n", "verify.line.signature", data("mark", mark(s.Verdict)), word("kind", "verify.kind."+s.Kind),
			data("id", s.ID), standard, word("verdict", "verify.verdict."+string(s.Verdict)))
		for _, l := range [][2]string{{"signer", s.Signer}, {"seal", s.Seal}, {"time", s.SignedAt}, {"trusted", s.TrustedTime}} {
			if l[1] != "" {
				u.line("  ", "verify.line."+l[0], data("value", l[1]))
			}
		}
		u.printChecks(s.Checks)
		u.line("  ", "verify.line.covered", data("n", strconv.Itoa(len(s.Coverage.Covered))))
		u.printRevision(s.Revision)
		for _, f := range s.Coverage.Uncovered {
			u.line("  ", "verify.line.uncovered", data("path", f))
		}
	}
	if len(rep.Warnings) > 0 {
		u.line("\n", "verify.line.warnings")
		for _, w := range rep.Warnings {
			fmt.Fprintln(u.out, "  !", u.words.Get("verify.warning."+w.Code).Both(), text.Plain(w.Path))
		}
	}
	if len(rep.Signatures) > 0 {
		u.line("\n", "verify.line.legal")
	}
}

// printRevision tells what became of the document after one signature.
func (u *ui) printRevision(r *verify.Revision) {
	if r == nil {
		return
	}
	u.line("  ", "verify.line.after."+string(r.After), data("n", strconv.Itoa(r.Number)),
		data("later", strings.Join(r.Later, ", ")), data("files", strings.Join(r.Changed, "; ")))
	if r.SealedAgain != "" {
		u.line("  ", "verify.line.again", data("id", r.SealedAgain))
	}
}

// printCitations names source and provider of what the document cites
// (京政发〔2017〕37号 art. 19).
func (u *ui) printCitations(list []verify.Citation) {
	if len(list) == 0 {
		return
	}
	u.line("\n", "verify.line.citations")
	for _, c := range list {
		u.line("  ", "verify.line.citation", word("result", "verify.result."+string(c.Result)), data("title", c.Title), data("resource", c.Resource),
			data("provider", c.ProviderName), data("code", c.Provider), data("consent", c.Consent))
		if c.Note != "" {
			u.line("      ", "verify.line.citation_note", data("note", c.Note))
		}
		if c.Reason != "" {
			fmt.Fprintf(u.out, "      %s\n", u.words.Get("verify.reason."+c.Reason).Both())
		}
	}
}

func (u *ui) printChecks(checks []verify.Check) {
	for _, c := range checks {
		fmt.Fprintf(u.out, "  [%s] %s — %s\n", u.words.Get("verify.result."+string(c.Result)).Both(),
			u.words.Get("verify.check."+c.ID).Both(), c.Clause)
		if c.Result != verify.Pass && c.Reason != "" {
			fmt.Fprintf(u.out, "      %s\n", u.words.Get("verify.reason."+c.Reason).Both())
		}
		if c.Detail != "" && c.Result != verify.Pass {
			fmt.Fprintf(u.out, "      %s\n", text.Plain(c.Detail))
		}
	}
}

// filling is one placeholder of a line: a word of the catalogue, or data of the
// document, which is hostile until proven otherwise.
type filling struct {
	name, key, data string
}

func word(name, key string) filling   { return filling{name: name, key: key} }
func data(name, value string) filling { return filling{name: name, data: value} }

// line prints a catalogue line in both languages. All placeholders are replaced in
// one pass, so that data which looks like a placeholder stays data.
func (u *ui) line(indent, key string, fill ...filling) {
	var zh, en []string
	for _, f := range fill {
		t := text.Text{Zh: text.Plain(f.data), En: text.Plain(f.data)}
		if f.key != "" {
			t = u.words.Get(f.key)
		}
		zh, en = append(zh, "{"+f.name+"}", t.Zh), append(en, "{"+f.name+"}", t.En)
	}
	t := u.words.Get(key)
	t.Zh, t.En = strings.NewReplacer(zh...).Replace(t.Zh), strings.NewReplacer(en...).Replace(t.En)
	fmt.Fprintln(u.out, indent+t.Both())
}
