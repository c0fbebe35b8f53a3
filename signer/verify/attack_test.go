package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// What the product seals is valid under its own anchor, in both modes and twice,
// and indeterminate without one.
func TestOwnSealsAreValid(t *testing.T) {
	w := newWorld(t)
	once := w.put(w.notice(), false)
	for name, data := range map[string][]byte{
		"continue": once, "whole": w.put(w.notice(), true), "twice": w.put(once, true),
		"rezipped": rezip(t, unzip(t, once)),
	} {
		t.Run(name, func(t *testing.T) {
			if rep := w.judge(data); rep.Verdict != Valid || rep.Integrity != Intact {
				t.Fatal(dump(rep))
			}
			rep := judge(t, data, nil)
			if rep.Verdict != Indeterminate || rep.Integrity != Intact || find(rep.Signatures[0], CheckChain).Reason != ReasonNoAnchor {
				t.Fatal(dump(rep))
			}
			if rep := judge(t, data, NewTrust(newWorld(t).root.cert.Raw)); rep.Verdict != Indeterminate {
				t.Fatal(dump(rep))
			}
			if rep := judge(t, data, NewTrust(w.signer.cert.Raw, w.maker.cert.Raw)); rep.Verdict != Valid {
				t.Fatal("an anchor may be the certificate itself", dump(rep))
			}
		})
	}
}

// A flipped byte of any file is seen, and the report names the file (reference
// §5.4 content_flip, sigxml, sv_flip, sealpic_flip).
func TestX11_19a_EveryFlippedByteNamesItsFile(t *testing.T) {
	w := newWorld(t)
	data := w.put(w.notice(), true)
	files := unzip(t, data)
	for i, f := range files {
		for _, at := range []int{0, len(f.body) / 2, len(f.body) - 1} {
			t.Run(fmt.Sprintf("%s@%d", f.name, at), func(t *testing.T) {
				changed := append([]zfile{}, files...)
				changed[i].body = bytes.Clone(f.body)
				changed[i].body[at] ^= 1
				rep := w.judge(rezip(t, changed))
				if rep.Verdict != Invalid || rep.Integrity != Altered {
					t.Fatal(dump(rep))
				}
				if !strings.Contains(dump(rep), "/"+f.name) {
					t.Fatalf("report does not name %s\n%s", f.name, dump(rep))
				}
			})
		}
	}
}

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
}

// The attack catalogue of reference §5.4 on our own seals: what each must yield,
// and which check must say so.
func TestAttackCatalogue(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	add := func(name, body string) []byte { return rezip(t, append(unzip(t, base), zfile{name, []byte(body)})) }
	first := func(name, body string) []byte {
		return rezip(t, append([]zfile{{name, []byte(body)}}, unzip(t, base)...))
	}
	sign := func(f forged, change func(string) string) []byte { return w.resign(base, f, change) }
	swap := func(old, new string) []byte {
		return sign(forged{}, func(s string) string { return strings.Replace(s, old, new, 1) })
	}
	const page = "Doc_0/Pages/Page_0/Content.xml"
	stranger := newWorld(t)
	sealing := w.issue(&w.root, func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageKeyEncipherment })
	strangerSeal := w.makeSeal(stranger.maker, w.signer)

	for name, c := range map[string]struct {
		data      []byte
		verdict   Verdict
		integrity Integrity
		check     string
		reason    string
	}{
		"base signed anew":            {sign(forged{}, nil), Valid, Intact, CheckValue, ""},
		"newline in sig xml":          {edit(t, base, "Doc_0/Signs/Sign_0/Signature.xml", func(b []byte) []byte { return append(b, '\n') }), Invalid, Altered, CheckDataHash, ReasonSigXMLHash},
		"page removed":                {drop(t, base, page), Invalid, Altered, CheckReferences, ReasonFileMissing},
		"value removed":               {drop(t, base, "Doc_0/Signs/Sign_0/SignedValue.dat"), Invalid, Altered, CheckSES, ReasonValueMissing},
		"signature xml removed":       {drop(t, base, "Doc_0/Signs/Sign_0/Signature.xml"), Invalid, Altered, CheckSES, ReasonSigXML},
		"duplicate last":              {add(page, "<x/>"), Invalid, Altered, CheckContainer, ofd.FaultDuplicate},
		"duplicate first":             {first(page, "<x/>"), Invalid, Altered, CheckContainer, ofd.FaultDuplicate},
		"case collision":              {add(strings.ToUpper(page), "<x/>"), Invalid, Altered, CheckContainer, ofd.FaultDuplicate},
		"backslash collision":         {add(strings.ReplaceAll(page, "/", `\`), "<x/>"), Invalid, Altered, CheckContainer, ofd.FaultDuplicate},
		"parent path":                 {add("../evil.xml", "x"), Invalid, Altered, CheckContainer, ofd.FaultTraversal},
		"absolute path":               {add("/evil.xml", "x"), Invalid, Altered, CheckContainer, ofd.FaultAbsolute},
		"extra file":                  {add("Doc_0/Res/evil.bin", "x"), Valid, Intact, CheckCoverage, ""},
		"document tree swapped":       {edit(t, add("Doc_1/Document.xml", "<Document/>"), "OFD.xml", replace("Doc_0/Document.xml", "Doc_1/Document.xml")), Invalid, Altered, CheckReferences, ReasonFileChanged},
		"dtd in the document":         {edit(t, base, "Doc_0/Document.xml", replace("<ofd:Document", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><ofd:Document`)), Invalid, Altered, CheckReferences, ReasonFileChanged},
		"page not referenced":         {sign(forged{}, func(s string) string { return cutReference(s, page) }), Indeterminate, Partial, CheckCoverage, ReasonUncovered},
		"ofd.xml not referenced":      {sign(forged{}, func(s string) string { return cutReference(s, "OFD.xml") }), Indeterminate, Partial, CheckCoverage, ReasonUncovered},
		"no references":               {sign(forged{}, cutReferences), Invalid, Partial, CheckReferences, ReasonNoReferences},
		"md5 digests":                 {swap(`CheckMethod="SM3"`, `CheckMethod="MD5"`), Indeterminate, Partial, CheckReferences, ReasonDigest},
		"reference out of package":    {swap(`FileRef="/`+page, `FileRef="../../../../../etc/passwd`), Invalid, Altered, CheckReferences, ReasonFileMissing},
		"stamp off the page":          {swap(`Boundary="120 200`, `Boundary="1200 200`), Invalid, Intact, CheckStamp, ReasonStampOff},
		"stamp of no extent":          {swap(`42 42"`, `0 42"`), Invalid, Intact, CheckStamp, ReasonStampOff},
		"stamp on no page":            {swap(`PageRef="5"`, `PageRef="77"`), Invalid, Intact, CheckStamp, ReasonStampPage},
		"stamp cut to nothing":        {swap(`42 42"`, `42 42" Clip="60 0 10 10"`), Invalid, Intact, CheckStamp, ReasonStampOff},
		"seal shown twice":            {twiceShown(t, base), Invalid, Altered, CheckValue, ""},
		"signer not in the seal":      {sign(forged{by: w.maker}, nil), Invalid, Intact, CheckCertList, ReasonNotListed},
		"seal of another maker":       {reseal(w, base, strangerSeal), Indeterminate, Intact, CheckMakerChain, ReasonUntrusted},
		"certificate over":            {sign(forged{at: start.AddDate(1, 2, 0)}, nil), Invalid, Intact, CheckCertPeriod, ReasonPeriod},
		"certificate not for signing": {sign(forged{by: sealing}, nil), Invalid, Intact, CheckUsage, ReasonCertUsage},
		"authority as signer":         {sign(forged{by: w.root}, nil), Invalid, Intact, CheckUsage, ReasonCertIsCA},
		"before the seal":             {sign(forged{at: start.AddDate(0, 0, -3)}, nil), Invalid, Intact, CheckSealPeriod, ReasonPeriod},
		"after the seal":              {sign(forged{at: start.AddDate(1, 0, 3)}, nil), Invalid, Intact, CheckSealPeriod, ReasonPeriod},
		"in the future":               {sign(forged{at: later.Add(time.Hour)}, nil), Invalid, Intact, CheckTime, ReasonFuture},
		"token that is none":          {sign(forged{timestamp: []byte{1, 2, 3}}, nil), Invalid, Intact, CheckToken, ReasonTokenBad},
		"seal file swapped":           {edit(t, sign(forged{}, func(s string) string { return cutReference(s, "Doc_0/Signs/Sign_0/Seal.esl") }), "Doc_0/Signs/Sign_0/Seal.esl", func([]byte) []byte { return strangerSeal }), Invalid, Altered, CheckSealFile, ReasonSealDiffers},
	} {
		t.Run(name, func(t *testing.T) {
			rep := w.judge(c.data)
			if rep.Verdict != c.verdict || rep.Integrity != c.integrity {
				t.Errorf("got %s %s, want %s %s\n%s", rep.Verdict, rep.Integrity, c.verdict, c.integrity, dump(rep))
			}
			if got := find(rep.Signatures[0], c.check); got.Reason != c.reason || (got.Result == Pass) != (c.reason == "") {
				t.Errorf("check %+v, want reason %q", got, c.reason)
			}
			if name == "seal shown twice" && (len(rep.Signatures) != 2 || find(rep.Signatures[1], CheckSES).Reason != ReasonRepeated) {
				t.Error(dump(rep))
			}
			if name == "extra file" && !warned(rep, WarnUnreferenced) {
				t.Error("extra file is silent")
			}
		})
	}
}

// twiceShown copies the files of the seal and lists them once more.
func twiceShown(tb testing.TB, data []byte) []byte {
	files := unzip(tb, data)
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.name, "Doc_0/Signs/Sign_0/"); ok {
			body := bytes.ReplaceAll(f.body, []byte("/Sign_0/"), []byte("/Sign_9/"))
			if name == "Signature.xml" {
				body = f.body // signed: it names the value of the first
			}
			files = append(files, zfile{"Doc_0/Signs/Sign_9/" + name, body})
		}
	}
	return edit(tb, rezip(tb, files), "Doc_0/Signs/Signatures.xml",
		replace("</ofd:Signatures>", `<ofd:Signature ID="s009" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_9/Signature.xml"/></ofd:Signatures>`))
}

// drop removes one file.
func drop(tb testing.TB, data []byte, name string) []byte {
	tb.Helper()
	var out []zfile
	for _, f := range unzip(tb, data) {
		if f.name != name {
			out = append(out, f)
		}
	}
	return rezip(tb, out)
}

// cutReference takes the reference of one file out of Signature.xml.
func cutReference(s, name string) string {
	i := strings.Index(s, `<ofd:Reference FileRef="/`+name)
	j := i + strings.Index(s[i:], `</ofd:Reference>`) + len(`</ofd:Reference>`)
	return s[:i] + s[j:]
}

func cutReferences(s string) string {
	i, j := strings.Index(s, `<ofd:Reference `), strings.Index(s, `</ofd:References>`)
	return s[:i] + s[j:]
}

// reseal uses another seal object on the document, its file and digest included.
func reseal(w *world, data, sealDER []byte) []byte {
	const esl = "Doc_0/Signs/Sign_0/Seal.esl"
	data = edit(w.tb, data, esl, func([]byte) []byte { return sealDER })
	return w.resign(data, forged{seal: sealDER}, func(s string) string { return cutReference(s, esl) })
}

// Extracting the record leaves orphans; a package without any trace is only
// unsigned, and only the ledger knows better (reference §5.3 6).
func TestStrippedSeal(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	stripped := edit(t, base, "OFD.xml", replace("<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>", ""))
	if rep := w.judge(stripped); rep.Integrity != Unsigned || rep.Verdict != Indeterminate || !warned(rep, WarnOrphan) {
		t.Fatal(dump(rep))
	}
	if rep := w.judge(drop(t, base, "Doc_0/Signs/Signatures.xml")); rep.Verdict != Invalid || rep.Integrity != Altered {
		t.Fatal("a list that is named and gone is not unsigned", dump(rep))
	}
}

// A later seal that is cut out of the list leaves its files behind: what is left
// is sealed less than it was, and the document is not intact.
func TestLaterSealCutOut(t *testing.T) {
	w := newWorld(t)
	twice := w.put(w.put(w.notice(), false), false)
	cut := edit(t, twice, "Doc_0/Signs/Signatures.xml", func(b []byte) []byte {
		i, j := bytes.LastIndex(b, []byte("<ofd:Signature ")), bytes.LastIndex(b, []byte("</ofd:Signatures>"))
		return append(bytes.Clone(b[:i]), b[j:]...)
	})
	rep := w.judge(cut)
	if rep.Verdict != Indeterminate || rep.Integrity != Partial || len(rep.Signatures) != 1 || rep.Signatures[0].Verdict != Valid || !warned(rep, WarnOrphan) {
		t.Fatal(dump(rep))
	}
	for _, c := range rep.Checks {
		if c.ID == CheckList && (c.Reason != ReasonOrphan || !strings.Contains(c.Detail, "/Doc_0/Signs/Sign_1/Signature.xml")) {
			t.Fatalf("%+v", c)
		}
	}
}

// A forged record in the open list must not exempt a page from coverage by
// calling it a signature file.
func TestForgedRecordDoesNotExemptContent(t *testing.T) {
	w := newWorld(t)
	base := w.resign(w.put(w.notice(), false), forged{}, func(s string) string {
		return cutReference(s, "Doc_0/Pages/Page_0/Content.xml")
	})
	forgery := edit(t, base, "Doc_0/Signs/Signatures.xml",
		replace("</ofd:Signatures>", `<ofd:Signature ID="s009" BaseLoc="/Doc_0/Pages/Page_0/Content.xml"/></ofd:Signatures>`))
	rep := w.judge(forgery)
	if rep.Verdict == Valid || len(rep.Signatures[0].Coverage.Uncovered) != 1 {
		t.Fatal(dump(rep))
	}
}

// A file that was first reached as media is still read as a resource: its own
// references count.
func TestReachableInSeveralRoles(t *testing.T) {
	w := newWorld(t)
	data := rezip(t, append(unzip(t, w.notice()), zfile{"Doc_0/More.xml", []byte(`<Res><MultiMedias><MultiMedia><MediaFile>pic.png</MediaFile></MultiMedia></MultiMedias></Res>`)},
		zfile{"Doc_0/pic.png", []byte("png")}))
	data = edit(t, data, "Doc_0/PublicRes.xml", replace("</ofd:Fonts>", `</ofd:Fonts><MultiMedias><MultiMedia><MediaFile>/Doc_0/More.xml</MediaFile></MultiMedia></MultiMedias>`))
	data = edit(t, data, "Doc_0/Document.xml", replace("</ofd:PublicRes>", "</ofd:PublicRes><ofd:DocumentRes>More.xml</ofd:DocumentRes>"))
	sealed := w.resign(w.put(data, false), forged{}, func(s string) string { return cutReference(s, "Doc_0/pic.png") })
	if rep := w.judge(sealed); rep.Integrity != Partial || rep.Signatures[0].Coverage.Uncovered[0] != "/Doc_0/pic.png" {
		t.Fatal(dump(rep))
	}
}

type revoked struct {
	at  time.Time
	err error
}

func (r revoked) RevokedAt(context.Context, []byte) (time.Time, bool, error) {
	return r.at, r.err == nil, r.err
}

// onlyRevoked answers for one certificate; the others are not revoked.
type onlyRevoked struct {
	cert *smx509.Certificate
	revoked
}

func (o onlyRevoked) RevokedAt(ctx context.Context, der []byte) (time.Time, bool, error) {
	if bytes.Equal(der, o.cert.Raw) {
		return o.revoked.RevokedAt(ctx, der)
	}
	return time.Time{}, true, nil
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	data := w.put(w.notice(), false)
	for name, c := range map[string]struct {
		source Revocation
		want   Verdict
		warn   bool
	}{
		"not revoked": {revoked{}, Valid, false},
		"before":      {revoked{at: signed.Add(-time.Hour)}, Invalid, false},
		"after":       {revoked{at: signed.Add(time.Hour)}, Indeterminate, false},
		"no answer":   {revoked{err: errors.New("down")}, Valid, true},
		"no source":   {nil, Valid, true},
	} {
		rep, err := Document(context.Background(), data, Options{
			Trust: NewTrust(w.root.cert.Raw), Now: func() time.Time { return later }, Revocation: c.source,
		})
		if err != nil || rep.Verdict != c.want || rep.Integrity != Intact || warned(rep, WarnNoRevocation) != c.warn {
			t.Errorf("%s: %v\n%s", name, err, dump(rep))
		}
	}
}

// A bomb is refused by its declared sizes; signer/ofd tests the entries that lie
// about theirs.
func TestBomb(t *testing.T) {
	w := newWorld(t)
	data := rezip(t, append(unzip(t, w.notice()), zfile{"Doc_0/big.bin", make([]byte, 8<<20)}))
	if _, err := Document(context.Background(), data, Options{}); !errors.Is(err, ErrLimit) {
		t.Fatal(err)
	}
}

// A list that names one description twice, or thousands of records, costs no more
// than it is worth and is never valid.
func TestListOfManyRecords(t *testing.T) {
	w := newWorld(t)
	base := w.put(w.notice(), false)
	again := `<ofd:Signature ID="s009" BaseLoc="/Doc_0/Signs/Sign_0/Signature.xml"/>`
	rep := w.judge(edit(t, base, "Doc_0/Signs/Signatures.xml", replace("</ofd:Signatures>", again+"</ofd:Signatures>")))
	if rep.Verdict != Invalid || len(rep.Signatures) != 2 || rep.Signatures[0].Verdict != Valid {
		t.Fatal(dump(rep))
	}
	rep = w.judge(edit(t, base, "Doc_0/Signs/Signatures.xml", replace("</ofd:Signatures>", strings.Repeat(again, 5000)+"</ofd:Signatures>")))
	if rep.Verdict != Invalid || len(rep.Signatures) > 300 {
		t.Fatal(rep.Verdict, len(rep.Signatures))
	}
}
