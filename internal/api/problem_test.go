package api

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yinxin-gov/yinxin/authz"
	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/authz/sharing"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/peer"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/archive"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

func refusedPeers() []error {
	return []error{ErrPeer, ca.ErrNotFound, ca.ErrState, ca.ErrRevoked, &peer.Refusal{Cause: peer.ErrRevoked}, identity.ErrNotFound}
}

// sentinels of the rooms that handlers call. An empty code says: a failure of
// the house, whose cause stays inside.
func sentinels() map[string]struct {
	err  error
	code string
} {
	type s = struct {
		err  error
		code string
	}
	return map[string]s{
		"exchange.ErrNotFound": {exchange.ErrNotFound, "transfer.unknown"}, "exchange.ErrDenied": {exchange.ErrDenied, "decision.denied"},
		"exchange.ErrReceipt": {exchange.ErrReceipt, "receipt.signature"}, "exchange.ErrState": {exchange.ErrState, "transfer.state"},
		"exchange.ErrDocument": {exchange.ErrDocument, "document.refused"}, "exchange.ErrSender": {exchange.ErrSender, "transfer.sender"},
		"exchange.ErrUndecided": {exchange.ErrUndecided, "receipt.undecided"}, "exchange.ErrConfirmed": {exchange.ErrConfirmed, "receipt.confirmed"},
		"exchange.ErrConfirm": {exchange.ErrConfirm, "receipt.incomplete"}, "peer.Refusal": {&peer.Refusal{Domain: "city", Cause: peer.ErrStale}, "peer.certificate"},
		"exchange.ErrName": {exchange.ErrName, "transfer.name"}, "exchange.ErrMasked": {exchange.ErrMasked, "transfer.masked"}, "exchange.ErrPending": {exchange.ErrPending, "transfer.pending"},
		"signer.ErrNotSealed": {signer.ErrNotSealed, "archive.not_sealed"}, "signer.ErrUnit": {signer.ErrUnit, "seal.unit"},
		"archive.ErrSecret": {archive.ErrSecret, "state_secret"}, "archive.ErrMetadata": {archive.ErrMetadata, "archive.metadata"},
		"archive.ErrDocument": {archive.ErrDocument, "archive.document"}, "archive.ErrLimit": {archive.ErrLimit, "document.limit"},
		"archive.ErrStamp": {archive.ErrStamp, "seal.stamp"}, "archive.ErrSigner": {archive.ErrSigner, ""}, "archive.ErrInvalid": {archive.ErrInvalid, ""},
		"authz.ErrFacts": {authz.ErrFacts, "decision.failed"}, "authz.ErrRecord": {authz.ErrRecord, "decision.failed"},
		"ca.ErrToken": {ca.ErrToken, "enrol.token"}, "ca.ErrExists": {ca.ErrExists, ""}, "ca.ErrKeyGiven": {ca.ErrKeyGiven, "enrol.key_given"}, "ca.ErrCSR": {ca.ErrCSR, "enrol.csr"}, "ca.ErrLint": {ca.ErrLint, "enrol.lint"},
		"ca.ErrHost": {ca.ErrHost, "enrol.host"}, "ca.ErrNotApproved": {ca.ErrNotApproved, "enrol.unapproved"}, "ca.ErrClosing": {ca.ErrClosing, "enrol.closing"}, "ca.ErrNoIssuer": {ca.ErrNoIssuer, "enrol.issuer"},
		"ca.ErrNotFound": {ca.ErrNotFound, ""}, "ca.ErrDecided": {ca.ErrDecided, "certificate_request.decided"}, "ca.ErrState": {ca.ErrState, "certificate.state"},
		"ca.ErrRevoked": {ca.ErrRevoked, "certificate.revoked"}, "ca.ErrSelf": {ca.ErrSelf, ""}, "ca.ErrInvalid": {ca.ErrInvalid, "certificate_request.invalid"},
		"ca.ErrProof": {ca.ErrProof, "certificate.proof"}, "ca.ErrExpired": {ca.ErrExpired, "certificate.expired"}, "ca.ErrRenewed": {ca.ErrRenewed, "certificate.renewed"},
		"ca.ErrBusy": {ca.ErrBusy, "certificate.busy"}, "ErrCertificate": {ErrCertificate, "certificate.unknown"},
		"verify.ErrNotDocument": {verify.ErrNotDocument, "document.unreadable"}, "verify.ErrLimit": {verify.ErrLimit, "document.limit"},
		"verify.ErrNoContent": {verify.ErrNoContent, "document.detached"}, "verify.ErrContent": {verify.ErrContent, ""}, "verify.ErrExtract": {verify.ErrExtract, ""},
		"verify.ErrNoAnchor": {verify.ErrNoAnchor, ""}, "verify.ErrAccreditation": {verify.ErrAccreditation, ""},
		"sharing.ErrLowered": {sharing.ErrLowered, "holding.label"},
		"sharing.ErrEnded":   {sharing.ErrEnded, "holding.ended"}, "sharing.ErrEvidence": {sharing.ErrEvidence, "holding.evidence"},
		"sharing.ErrNotProvider": {sharing.ErrNotProvider, "holding.provider"}, "sharing.ErrFile": {sharing.ErrFile, "catalogue.file"},
		"sharing.ErrNotFound": {sharing.ErrNotFound, "catalogue.unknown"}, "sharing.ErrInvalid": {sharing.ErrInvalid, "catalogue.invalid"},
		"sharing.ErrStale": {sharing.ErrStale, "decision.stale"}, "sharing.ErrLineage": {sharing.ErrLineage, "holding.lineage"}, "exchange.ErrKeep": {exchange.ErrKeep, "holding.incomplete"},
		"exchange.ErrStale":   {exchange.ErrStale, "decision.stale"},
		"grading.ErrHoldings": {grading.ErrBelowHoldings, "holding.grade"},
		"ledger.ErrClosed":    {ledger.ErrClosed, "ledger.closed"},
		"ledger.ErrFenced":    {ledger.ErrFenced, "ledger.fenced"},
		"ledger.ErrInvalid":   {ledger.ErrInvalidEvent, ""},
		"context.Deadline":    {context.DeadlineExceeded, "timeout"},
		"something else":      {errors.New(secret), ""},
		"authz.ErrConfig":     {authz.ErrConfig, ""},
		"authz.ErrPolicy":     {authz.ErrPolicy, ""},
		"authz.ErrReasons":    {authz.ErrReasons, ""},
		// Of searches (internal/api/authzen answers them) and of replays, which have no route here.
		"authz.ErrMalformed": {authz.ErrMalformed, ""}, "authz.ErrNotDecision": {authz.ErrNotDecision, ""},
		"authz.ErrNotJudged": {authz.ErrNotJudged, ""}, "authz.ErrAltered": {authz.ErrAltered, ""},
		"joined with a denial": {errors.Join(exchange.ErrDenied, errors.New(secret)), "decision.denied"},
	}
}

func TestProblems(t *testing.T) {
	h := newHouse(t)
	for name, s := range sentinels() {
		h.err = fmt.Errorf("%s: %w", secret, s.err)
		want := s.code
		if want == "" {
			want = codeInternal
		}
		for _, route := range []struct{ method, path, body string }{
			{"POST", wire.PathTransfers, goodSend}, {"POST", wire.PathArchives, goodArchive}, {"GET", wire.PathTransfers + "/t-1/envelope", ""}, {"GET", wire.PathTransfers, ""},
			{"POST", wire.PathTransfers + "/t-1/receipt", `{"signature":"AQIDBAUGBwg="}`}, {"POST", wire.PathVerify, "x"}, {"GET", wire.PathHead, ""},
			{"POST", wire.PathEnrol, `{"token":"aaaaaaaaaaaaaaaaaaaaaaaa","sm2_csr":"AQID"}`},
		} {
			a := h.do(route.method, route.path, true, strings.NewReader(route.body))
			if a.p.Code != want {
				t.Errorf("%s at %s: %d %s, want %s", name, route.path, a.status, a.p.Code, want)
			}
			if (a.status >= 500) != (want == codeInternal || a.status == http.StatusServiceUnavailable) {
				t.Errorf("%s: status %d", name, a.status)
			}
		}
	}
	if !strings.Contains(h.logged(), secret) || !strings.Contains(h.logged(), "made-id") {
		t.Error("the log does not hold the cause under the request id")
	}
}

// A refusal carries the decision: reasons, id and its place on the ledger.
func TestProblem_Denied(t *testing.T) {
	h := newHouse(t)
	h.err = &exchange.DeniedError{Decision: authz.Decision{
		ID: "d-1", Reasons: []authz.Reason{{Code: "E10_label_lowered", Zh: "降级", FixEn: "raise it", Clauses: []string{"X11-30"}}},
		Receipt: ledger.Receipt{Seq: 0, Promise: ledger.Integrated},
	}}
	a := h.do("POST", wire.PathTransfers, true, strings.NewReader(goodSend))
	if a.status != 403 || a.p.Decision != "d-1" || len(a.p.Reasons) != 1 || a.p.Reasons[0].FixEn != "raise it" || a.p.Seq == nil || *a.p.Seq != 0 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// Each code has its text in both languages, and no text is left over.
func TestProblem_Texts(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"problem." + codeInternal: true, "problem." + codeRules: true, "problem." + codeLines: true}
	for _, o := range outcomes() {
		used["problem."+o.code] = true
	}
	for _, code := range requestCodes() {
		used["problem."+code] = true
	}
	for key := range used {
		if !words.Has(key) {
			t.Errorf("no text for %s", key)
		}
	}
	for _, key := range words.Keys("problem.") {
		if !used[key] {
			t.Errorf("%s is never used", key)
		}
	}
}

// A new outcome of a room that handlers call must be thought of here.
func TestProblems_EverySentinelIsMapped(t *testing.T) {
	known := sentinels()
	for pkg, dir := range map[string]string{"exchange": "../exchange", "ca": "../../ca", "authz": "../../authz", "verify": "../../signer/verify"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if v, ok := n.(*ast.ValueSpec); ok {
					for _, id := range v.Names {
						if _, listed := known[pkg+"."+id.Name]; strings.HasPrefix(id.Name, "Err") {
							if seen++; !listed {
								t.Errorf("%s.%s is not mapped", pkg, id.Name)
							}
						}
					}
				}
				return true
			})
		}
		if seen == 0 {
			t.Errorf("no outcome found in %s", dir)
		}
	}
}
