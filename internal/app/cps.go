package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/closing"
	"github.com/yinxin-gov/yinxin/ca/profile"
	"github.com/yinxin-gov/yinxin/docs"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/cps"
	"github.com/yinxin-gov/yinxin/internal/store"
)

// statement is the certification practice statement of this house, filled from
// what its rooms run with.
func (h *House) statement(ctx context.Context) (cps.Statement, error) {
	zh, en, err := docs.CPS()
	if err != nil {
		return cps.Statement{}, fmt.Errorf("app: practice statement: %w", err)
	}
	whole := func(d, unit time.Duration) string { return strconv.FormatInt(int64(d/unit), 10) }
	day, site, lists, roots := 24*time.Hour, h.cfg.site(), h.CertStatus.Times(), h.Anchors(ctx)
	test := site.TestOID
	if test == "" {
		test = profile.DefaultTestOID
	}
	owner, judicial := h.Recoveries.Officers()
	return cps.Fill(zh, en, map[string]string{
		"unit": h.cfg.Organization, "uscc": h.cfg.USCC, "policy": site.Policy(), "testpolicy": test,
		"cps": site.CPS, "crl": site.CRLAddress("{issuer}", "", false), "ocsp": site.OCSP, "issuers": site.Issuers, "closing": h.cfg.StatusURL() + wire.PathClosing,
		"full": whole(lists.FullEvery, time.Hour), "fullvalid": whole(lists.FullValidity, time.Hour), "delta": whole(lists.DeltaEvery, time.Minute),
		"offline": whole(lists.OfflineValidity, day), "ocspvalid": whole(lists.OCSPValidity, time.Minute),
		"token": whole(h.RA.ApprovalLife(), time.Hour), "recovery": strconv.Itoa(owner), "judicial": strconv.Itoa(judicial),
		"retention": strconv.Itoa(h.Retention.Years()), "notice": whole(closing.Notice, day), "report": whole(closing.Report, day), "minleft": whole(ca.MinLeft, time.Hour),
		"profiles": profileTable(), "sm2root": roots.SM2RootSM3, "ecdsaroot": roots.ECDSARootSM3,
	})
}

// profileTable is the longest validity of each profile, in days.
func profileTable() string {
	var b strings.Builder
	b.WriteString("| profile | clause | days |\n|---|---|---|")
	for _, p := range profile.All() {
		fmt.Fprintf(&b, "\n| %s | %s | %d |", p.Name, p.Clause, p.Validity/(24*time.Hour))
	}
	return b.String()
}

// published is the statement in force with its version. What is stated for the
// first time, or anew, is on the ledger before anybody reads it.
func (h *House) published(ctx context.Context) (cps.Statement, store.CPSVersion, error) {
	s, err := h.statement(ctx)
	if err != nil {
		return s, store.CPSVersion{}, err
	}
	for {
		last, err := h.rooms.CA.CPS(ctx)
		if err != nil || last.SM3 == s.SM3() {
			return s.Dated(last.Number, last.Since), last, err
		}
		next := store.CPSVersion{Number: last.Number + 1, SM3: s.SM3(), Since: h.now()}
		_, err = h.rooms.CA.PublishCPS(ctx, next, ledger.Event{
			ID: newID(), Type: "ca.cps.published", Class: ledger.ClassCertificate, Time: next.Since, Actor: h.service(), Object: ledger.Object{Kind: "cps", ID: strconv.FormatInt(next.Number, 10)},
			Outcome: ledger.Success, Payload: next.SM3,
		})
		if err != nil && !errors.Is(err, ca.ErrExists) { // another node was first
			return s, last, err
		}
	}
}

// cps is where certificates say that the rules of issuing stand (电子认证业务规则,
// 电子签名法 art. 19): a page without scripts, or Markdown for who asks for that.
func (h *House) cps(w http.ResponseWriter, r *http.Request) {
	s, version, err := h.published(r.Context())
	if err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "practice statement", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	body, lang := s.Zh, "zh-CN"
	if english(r) {
		body, lang = s.En, "en"
	}
	media := "text/markdown"
	if !strings.Contains(r.Header.Get("Accept"), media) {
		media, body = "text/html", cps.HTML(body, lang)
	}
	head := w.Header()
	head.Set("Content-Type", media+"; charset=utf-8")
	head.Set("Content-Language", lang)
	head.Set("Vary", "Accept, Accept-Language")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	head.Set("Last-Modified", version.Since.UTC().Format(http.TimeFormat))
	if _, err := w.Write([]byte(body)); err != nil {
		h.cfg.Log.DebugContext(r.Context(), "statement not delivered", "error", err)
	}
}

// english: asked for in the address, or the first language of the browser.
func english(r *http.Request) bool {
	if lang := r.URL.Query().Get("lang"); lang != "" {
		return lang == "en"
	}
	return strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "en")
}
