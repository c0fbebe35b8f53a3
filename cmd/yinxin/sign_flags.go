package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
)

// standardPAdES is what the command calls an international signature on a PDF.
const standardPAdES = "pades"

// signFlags are the options of yinxin sign.
type signFlags struct {
	seal, key, cert, chain, passphrase, out string
	standard, form, keyword, ride           string
	page                                    int
	x, y                                    float64
	whole, force                            bool
	detached, enveloping                    bool
	filter, subFilter                       string
	documentType, cite                      string
	tsa                                     tsaFlags
	manifest, manifestOut                   string
	yes                                     bool
	placed                                  bool // a place of an ordinary stamp was given
}

// anyFile reports whether a file of any kind is signed, not an OFD or PDF inside.
func (f *signFlags) anyFile() bool { return f.detached || f.enveloping }

// suffix is what the name of a signed file of any kind gets; empty for documents.
func (f *signFlags) suffix() string {
	switch {
	case f.detached:
		return ".p7s"
	case f.enveloping:
		return ".p7m"
	}
	return ""
}

// check refuses flags that do not fit together, before anything is read.
func (f *signFlags) check(changed func(string) bool) error {
	bad := func(hint, format string, args ...any) error { return fail(fmt.Errorf(format, args...), hint) }
	switch err := signer.CheckType(f.documentType, signer.Exclusions()); {
	case errors.Is(err, signer.ErrExcluded): // denied by law, not a mistake of usage
		return &exitError{code: exitInvalid, err: err, hint: "sign.hint.type"}
	case err != nil:
		return fail(err, "sign.hint.type")
	}
	at := changed("x") || changed("y")
	f.placed = at || changed("page") || changed("keyword")
	seal := f.seal != "" || f.placed || changed("ride")
	if f.anyFile() && !changed("standard") {
		f.standard = string(signer.StandardCMS)
	}
	switch {
	case f.cite != "" && (f.anyFile() || f.standard == standardPAdES):
		return bad("sign.hint.cite", "--cite is for seals and signatures inside an OFD, and for seals on a PDF")
	case f.anyFile():
		if f.standard != string(signer.StandardCMS) || f.detached && f.enveloping || seal || f.cert == "" || changed("form") || f.whole {
			return bad("sign.hint.anyfile", "--detached or --enveloping, one of them, takes --standard cms and --cert, no seal, no place, no form")
		}
	case f.standard == standardPAdES:
		if seal || f.cert == "" || changed("form") || f.whole {
			return bad("sign.hint.standard", "--standard pades takes --cert, no seal, no place, no form")
		}
	case f.chain != "":
		return bad("sign.hint.standard", "--chain is for --standard pades, --detached and --enveloping")
	case f.standard == string(signer.StandardCMS):
		if seal || f.cert == "" || f.form != "a" && f.form != "b" {
			return bad("sign.hint.standard", "--standard cms takes --cert and --form a or b, no seal and no place")
		}
	case f.standard == string(signer.StandardV4), f.standard == string(signer.StandardV1):
		if f.seal == "" {
			return bad("sign.hint.standard", "--standard %s needs --seal", f.standard)
		}
		if changed("form") {
			return bad("sign.hint.standard", "--form is for --standard cms")
		}
	default:
		return bad("sign.hint.standard", "standard %q", f.standard)
	}
	if at && (!changed("x") || !changed("y") || !onPaper(f.x) || !onPaper(f.y) || f.keyword != "") {
		return bad("sign.hint.place", "place %g, %g", f.x, f.y)
	}
	if b, err := hex.DecodeString(f.manifest); f.manifest != "" && (err != nil || len(b) != sm3.Size) {
		return bad("sign.hint.batch", "--manifest %q is no SM3 in hex", f.manifest)
	}
	f.manifest = strings.ToLower(f.manifest)
	switch signer.Edge(f.ride) {
	case "", signer.EdgeLeft, signer.EdgeRight, signer.EdgeTop, signer.EdgeBottom:
		return nil
	}
	return bad("sign.hint.place", "edge %q", f.ride)
}

// job is what the flags ask for. A ride seal stands alone unless a place for an
// ordinary stamp is given too.
func (f *signFlags) job(at time.Time) signer.Job {
	j := signer.Job{
		Standard: signer.Standard(f.standard), Time: at, Whole: f.whole, Content: f.form == "a",
		Placement: signer.Placement{Page: f.page, X: f.x, Y: f.y, Keyword: f.keyword},
		Provider:  ofd.Provider{Name: "yinxin", Version: version},
		PDF:       signer.PDFNames{Filter: f.filter, SubFilter: f.subFilter},
	}
	if ride := (signer.Placement{Ride: signer.Edge(f.ride)}); f.ride != "" && f.placed {
		j.Also = []signer.Placement{ride}
	} else if f.ride != "" {
		j.Placement = ride
	}
	return j
}

func onPaper(mm float64) bool { return mm >= 0 && mm < 5000 && !math.IsNaN(mm) }
