package console

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

const (
	goodCookie = "session-value"
	goodSecret = "secret-of-a-link"
	newSecret  = "secret-of-a-first-visit"
	inside     = "cause-that-stays-inside"
)

var at = time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)

// house is all that the console asks; err is what each part answers.
type house struct {
	t      *testing.T
	mu     sync.Mutex
	log    bytes.Buffer
	err    error
	report verify.Report
	got    []byte
	known  bool
	left   bool
	person Person
	router *chi.Mux
	desk   *deskOf
	words  *text.Catalogue
}

func newHouse(t *testing.T, painter ...signer.Painter) *house {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, person: Person{ID: "p-1", Name: "样例审计员", Roles: []string{"审计员"}, Auditor: true}, router: chi.NewRouter()}
	h.desk, h.words = &deskOf{h: h}, words
	var p signer.Painter
	if len(painter) > 0 {
		p = painter[0]
	}
	err = Mount(h.router, Config{
		Door: h, Desk: h.desk, Painter: p, Words: words, Log: slog.New(slog.NewTextHandler(h, nil)),
		Status: func(context.Context) wire.Status {
			return wire.Status{Name: "样例区政务信息办公室", Version: "0.1.0", Time: at, LedgerSize: 1234, Healthy: true, Sample: true, RootListEnds: at.AddDate(0, 0, 29), CeremonyDue: true}
		},
		Head: func(_ context.Context, p Person) (Head, error) {
			if p.ID != h.person.ID {
				t.Errorf("the ledger was read by %+v", p)
			}
			return Head{Head: wire.Head{Size: 2, Root: strings.Repeat("ab", 32), Checkpoint: "yangli/ledger\n2\n…\n"}, Recent: []Line{
				{Seq: 1, Time: at, Type: "authz.decision.recorded", Object: "resource population", Outcome: "deny", Reasons: []string{"E10_label_lowered"}},
				{Seq: 0, Type: "内容已依法删除"},
			}}, h.err
		},
		Verify: func(_ context.Context, d []byte) (verify.Report, error) {
			h.got = d
			return h.report, h.err
		},
		Report: func(ctx context.Context, name string, d []byte, known bool) (report.Report, verify.Report, error) {
			h.got, h.known = d, known
			if h.err != nil {
				return report.Report{}, verify.Report{}, h.err
			}
			judged := h.report
			judged.File = name
			r, err := report.Make(ctx, report.Input{Judged: judged, Document: bytes.NewReader(d), Size: int64(len(d)), MadeAt: at, JudgedAt: at, Version: "0.1.0"})
			return r, judged, err
		},
		Anchors: func(context.Context) wire.Anchors {
			return wire.Anchors{SM2RootSM3: strings.Repeat("01", 32), ECDSARootSM3: strings.Repeat("ef", 32), AccessWarning: "仅供技术核验"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Write keeps the log.
func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *house) Enter(_ context.Context, secret, pin string) (string, time.Time, error) {
	switch {
	case h.err != nil:
		return "", time.Time{}, h.err
	case secret == newSecret && pin == "":
		return "", time.Time{}, ErrNeedPIN
	case secret == newSecret && len(pin) < 8:
		return "", time.Time{}, ErrPIN
	case secret == newSecret || secret == goodSecret:
		return goodCookie, at, nil
	}
	return "", time.Time{}, ErrDoor
}

func (h *house) Return(_ context.Context, person, pin string) (string, time.Time, error) {
	if h.err != nil {
		return "", time.Time{}, h.err
	}
	if person == h.person.ID && pin == "the-right-pin" {
		return goodCookie, at, nil
	}
	return "", time.Time{}, ErrDoor
}

func (h *house) Who(_ context.Context, cookie string) (Person, error) {
	if cookie != goodCookie {
		return Person{}, ErrDoor
	}
	return h.person, nil
}

func (h *house) Leave(_ context.Context, cookie string) error {
	h.left = cookie == goodCookie
	return h.err
}

// form is a multipart body with one file.
func form(field, name string, content []byte) (body *bytes.Buffer, mediaType string) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	hd := textproto.MIMEHeader{}
	hd.Set("Content-Disposition", `form-data; name="`+field+`"; filename="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)+`"`)
	part, err := w.CreatePart(hd)
	if err == nil {
		_, err = part.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return body, w.FormDataContentType()
}

// sampleReport has one of everything.
func sampleReport() verify.Report {
	return verify.Report{
		Format: "ofd", Verdict: verify.Invalid, Integrity: verify.Altered,
		Checks: []verify.Check{{ID: verify.CheckContainer, Result: verify.Pass, Clause: "APPNOTE 4.4"}},
		Signatures: []verify.Signature{{
			ID: "s1", Kind: "seal", Standard: "GB/T 38540-2020", Signer: "CN=11010200000001", Seal: "样例区民政局", SignedAt: "2026-07-01T09:00:00Z", Verdict: verify.Invalid,
			Checks: []verify.Check{
				{ID: verify.CheckValue, Result: verify.Pass, Clause: "GB/T 38540 7.3 c)"},
				{ID: verify.CheckReferences, Result: verify.Fail, Clause: "GB/T 33190 18.2", Reason: verify.ReasonFileChanged, Detail: "/Doc_0/Pages/Page_0/Content.xml"},
				{ID: verify.CheckRevocation, Result: verify.CannotTell, Clause: "RFC 5280 6.3", Reason: verify.ReasonNoRevocation},
				{ID: verify.CheckToken, Result: verify.Skipped, Clause: "GB/T 38540 6.2", Reason: verify.ReasonNoToken},
			},
			Coverage: verify.Coverage{Covered: []string{"/OFD.xml", "/Doc_0/Document.xml"}, Uncovered: []string{"/Doc_0/Attach/added.xml"}},
		}},
		Warnings: []verify.Warning{{Code: verify.WarnClaimedTime, Signature: "s1"}, {Code: verify.WarnUnreferenced, Path: "/extra.txt"}},
	}
}

func session(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: goodCookie}) }
