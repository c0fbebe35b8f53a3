package ra_test

import (
	"context"
	"crypto/pbkdf2"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm3"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
)

func TestSubmitRefusesWhatIsNotTheApplicants(t *testing.T) {
	for name, c := range map[string]struct {
		who    string
		change func(*ca.Request)
		want   error
	}{
		"foreign host (电子签名法 art. 20)": {"p-admin", func(r *ca.Request) { r.Hosts = []string{host, "evil.example"} }, ca.ErrHost},
		"host of another system":       {"p-admin", func(r *ca.Request) { r.System = "civil-b" }, ca.ErrHost},
		"wildcard":                     {"p-admin", func(r *ca.Request) { r.Hosts = []string{"*.gov.internal"} }, ca.ErrHost},
		"no host":                      {"p-admin", func(r *ca.Request) { r.Hosts = nil }, ca.ErrInvalid},
		"33 hosts":                     {"p-admin", func(r *ca.Request) { r.Hosts = manyHosts(33) }, ca.ErrInvalid},
		"no agency":                    {"p-admin", func(r *ca.Request) { r.Agency = "" }, ca.ErrInvalid},
		"long CN (X.520)":              {"p-admin", func(r *ca.Request) { r.CommonName = strings.Repeat("名", 65) }, ca.ErrInvalid},
		"a person's number (BJ17-13)":  {"p-admin", func(r *ca.Request) { r.Organization = "张三 110101199003070011" }, ca.ErrInvalid},
		"another name than the registered one (X11-02)": {"p-admin", func(r *ca.Request) { r.Organization = "样例区财政局" }, ca.ErrInvalid},
		"a direction mark":         {"p-admin", func(r *ca.Request) { r.CommonName = "a\u202eb" }, ca.ErrInvalid},
		"unknown purpose":          {"p-admin", func(r *ca.Request) { r.Purpose = "fun" }, ca.ErrInvalid},
		"unknown system":           {"p-admin", func(r *ca.Request) { r.System = "ghost" }, ca.ErrNotFound},
		"system of another agency": {"p-both", func(r *ca.Request) { r.Agency = other }, ra.ErrApplicant},
		"administrator of another": {"p-works", func(*ca.Request) {}, ra.ErrApplicant},
		"nobody":                   {"", func(*ca.Request) {}, ca.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			h, r := newHouse(t), good()
			c.change(&r)
			if _, _, err := h.svc.Submit(context.Background(), actor(c.who), r); !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			if len(h.reg.Events()) != 0 {
				t.Error("a refused request stands on the ledger")
			}
		})
	}
	h, forged := newHouse(t), good()
	forged.SubmittedBy, forged.State, forged.TokenHash, forged.ReviewedBy = "somebody", ca.RequestApproved, strings.Repeat("0", 64), "p-x"
	r, _, err := h.svc.Submit(context.Background(), actor("p-admin"), forged)
	if err != nil || r.SubmittedBy != "p-admin" || r.State != ca.RequestSubmitted || r.TokenHash != "" || r.ReviewedBy != "" || r.Purpose != ca.PurposeProduction {
		t.Errorf("forged fields were kept: %+v, %v", r, err)
	}
	if _, _, err := h.svc.Submit(context.Background(), actor("p-admin"), good()); !errors.Is(err, ra.ErrOpen) {
		t.Errorf("the same again: %v", err)
	}
}

func manyHosts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("h%d.gov.internal", i)
	}
	return out
}

// GM/T 0034 ch. 12, 电子签名法 art. 20: what an identity check needs.
func TestReviewNeedsEvidence(t *testing.T) {
	edit := func(i int, f func(*ra.Shown)) func() []ra.Shown {
		return func() []ra.Shown { p := papers(); f(&p[i]); return p }
	}
	for name, shown := range map[string]func() []ra.Shown{
		"nothing":                                       func() []ra.Shown { return nil },
		"17 documents":                                  func() []ra.Shown { return append(make([]ra.Shown, 14), papers()...) },
		"no certificate of unit":                        func() []ra.Shown { return papers()[1:] },
		"no authorisation":                              func() []ra.Shown { return papers()[:1] },
		"another unit's":                                edit(0, func(s *ra.Shown) { s.Number = other }),
		"unknown method":                                edit(0, func(s *ra.Shown) { s.Method = "guess" }),
		"unknown kind":                                  edit(1, func(s *ra.Shown) { s.Kind = "rumour" }),
		"no number, no scan":                            edit(1, func(s *ra.Shown) { s.Number = "" }),
		"digest of another length":                      edit(1, func(s *ra.Shown) { s.Digest = "abcd" }),
		"a person's number in a note (BJ17-13)":         edit(1, func(s *ra.Shown) { s.Note = "经办人 110101199003070011" }),
		"a person's number as number (BJ17-13)":         edit(1, func(s *ra.Shown) { s.Number = "11010119900307001X" }),
		"a person's number in clear (BJ17-13)":          edit(2, func(s *ra.Shown) { s.Number = "11010119900307001X" }),
		"a person's number beside another (BJ17-13)":    edit(1, func(s *ra.Shown) { s.Personal = "110101199003070011" }),
		"the handler without a number":                  edit(2, func(s *ra.Shown) { s.Personal = "" }),
		"two lines in a note":                           edit(1, func(s *ra.Shown) { s.Note = "a\nb" }),
		"digest in capitals, which compares as another": edit(1, func(s *ra.Shown) { s.Digest = strings.Repeat("AB", 32) }),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			r := h.submit()
			if _, _, err := h.svc.Review(context.Background(), actor("p-check"), r.ID, shown()); !errors.Is(err, ra.ErrEvidence) {
				t.Errorf("err = %v", err)
			}
			if h.state(r.ID) != ca.RequestSubmitted {
				t.Error("moved")
			}
		})
	}
}

// 京政发〔2017〕37号 art. 13: of a personal number there is only a salted hash,
// in the row and on the ledger.
func TestBJ17_13_OnlyAHashOfAPersonalNumber(t *testing.T) {
	h := newHouse(t)
	r := h.review(h.submit())
	body, err := json.Marshal(struct{ A, B any }{r, h.reg.Events()})
	h.ok(err)
	if strings.Contains(strings.ToUpper(string(body)), "11010119900307001X") {
		t.Error("the number stands in clear")
	}
	e := r.Evidence[2]
	salt, err := hex.DecodeString(e.Salt)
	h.ok(err)
	want, err := pbkdf2.Key(sm3.New, "11010119900307001X", salt, 100_000, 32)
	h.ok(err)
	if len(salt) != 16 || e.Digest != hex.EncodeToString(want) || e.Number != "" {
		t.Errorf("%+v", e)
	}
}

// Three persons stand behind a certificate: who asks, who checks, who approves.
func TestApproveNeedsAThirdPersonsSignature(t *testing.T) {
	for name, c := range map[string]struct {
		signer, actor string
		change        func(*ca.Request) // of what is signed
		prepare       func(*house)
		want          error
	}{
		"no signature":                  {"", "p-ra", nil, nil, ca.ErrNotApproved},
		"signature over other evidence": {"p-ra", "p-ra", func(r *ca.Request) { r.Evidence = r.Evidence[:1] }, nil, ca.ErrNotApproved},
		"signature over other hosts":    {"p-ra", "p-ra", func(r *ca.Request) { r.Hosts = []string{"b.gov.internal"} }, nil, ca.ErrNotApproved},
		"another person's signature":    {"p-ra", "p-other", nil, nil, ca.ErrNotApproved},
		"the applicant approves":        {"p-admin", "p-admin", nil, nil, ca.ErrSelf},
		"the applicant signed":          {"p-admin", "p-ra", nil, nil, ca.ErrSelf},
		"the checker approves":          {"p-check", "p-check", nil, nil, ca.ErrSelf},
		"the checker signed":            {"p-check", "p-ra", nil, nil, ca.ErrSelf},
		"nobody":                        {"p-ra", "", nil, nil, ca.ErrInvalid},
		"the gate is closed":            {"p-ra", "p-ra", nil, func(h *house) { h.gated = errGate }, errGate},
		"a host was struck off":         {"p-ra", "p-ra", nil, func(h *house) { h.hosts["civil-a"] = nil }, ca.ErrHost},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			r := h.review(h.submit())
			signed := r
			if c.change != nil {
				c.change(&signed)
			}
			h.sign(c.signer, signed)
			if c.prepare != nil {
				c.prepare(h)
			}
			if _, _, err := h.svc.Approve(context.Background(), actor(c.actor), r.ID); !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			if h.state(r.ID) != ca.RequestReviewed {
				t.Errorf("moved to %s", h.state(r.ID))
			}
		})
	}
	h := newHouse(t)
	r := h.submit()
	h.sign("p-ra", r)
	if _, _, err := h.svc.Approve(context.Background(), actor("p-ra"), r.ID); !errors.Is(err, ra.ErrEvidence) {
		t.Errorf("approved without a check: %v", err)
	}
	for who, want := range map[string]error{"p-admin": ca.ErrSelf, "p-stranger": ra.ErrOfficer, "": ca.ErrInvalid} {
		if _, _, err := h.svc.Review(context.Background(), actor(who), r.ID, papers()); !errors.Is(err, want) {
			t.Errorf("checked by %q: %v", who, err)
		}
	}
}

// Whoever asked or checked hears it before anything is signed: a subject takes
// one answer only.
func TestApprovableIsAskedBeforeTheSignature(t *testing.T) {
	h := newHouse(t)
	r := h.submit()
	if _, err := h.svc.Approvable(context.Background(), actor("p-ra"), r.ID); !errors.Is(err, ra.ErrEvidence) {
		t.Errorf("without a check: %v", err)
	}
	r = h.review(r)
	for who, want := range map[string]error{"p-admin": ca.ErrSelf, "p-check": ca.ErrSelf, "": ca.ErrInvalid, "p-ra": nil} {
		if _, err := h.svc.Approvable(context.Background(), actor(who), r.ID); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", who, err, want)
		}
	}
}

func TestRefusalAndWithdrawal(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	r := h.submit()
	for name, c := range map[string]struct {
		who, reason string
		want        error
	}{
		"no reason": {"p-ra", "", ca.ErrInvalid}, "the applicant": {"p-admin", "x", ca.ErrSelf}, "a stranger": {"p-x", "x", ra.ErrOfficer},
		"a person's number": {"p-ra", "110101199003070011", ca.ErrInvalid},
	} {
		if _, _, err := h.svc.Refuse(ctx, actor(c.who), r.ID, c.reason); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, _, err := h.svc.Refuse(ctx, actor("p-ra"), r.ID, "名称与登记不符")
	if err != nil || got.State != ca.RequestRefused || got.Reason != "名称与登记不符" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, _, err := h.svc.Refuse(ctx, actor("p-ra"), r.ID, "再次"); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("refused twice: %v", err)
	}
	if _, _, err := h.svc.Withdraw(ctx, actor("p-admin"), r.ID, ""); !errors.Is(err, ca.ErrDecided) {
		t.Errorf("withdrawn after the refusal: %v", err)
	}
	r = h.approve(h.review(h.submit()))
	token, err := h.svc.Draw(ctx, actor("p-admin"), r.ID)
	h.ok(err)
	if _, _, err := h.svc.Withdraw(ctx, actor("p-both"), r.ID, ""); !errors.Is(err, ra.ErrApplicant) {
		t.Errorf("withdrawn by a colleague: %v", err)
	}
	if _, _, err := h.svc.Withdraw(ctx, actor("p-admin"), r.ID, "不再需要"); err != nil {
		t.Error(err)
	}
	if _, err := h.reg.RequestByToken(ctx, ca.TokenHash(token.Token), h.now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("the token of a withdrawn request: %v", err)
	}
}

// The token is the applicant's: shown once, replaced by the next, and never good
// for longer than the approval.
func TestDraw(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	r := h.review(h.submit())
	if _, err := h.svc.Draw(ctx, actor("p-admin"), r.ID); !errors.Is(err, ca.ErrNotApproved) {
		t.Errorf("before the approval: %v", err)
	}
	r = h.approve(r)
	for _, who := range []string{"p-ra", "p-check", "p-both", ""} {
		if _, err := h.svc.Draw(ctx, actor(who), r.ID); !errors.Is(err, ra.ErrApplicant) {
			t.Errorf("drawn by %q: %v", who, err)
		}
	}
	first, err := h.svc.Draw(ctx, actor("p-admin"), r.ID)
	h.ok(err)
	second, err := h.svc.Draw(ctx, actor("p-admin"), r.ID)
	h.ok(err)
	if _, err := h.reg.RequestByToken(ctx, ca.TokenHash(first.Token), h.now); !errors.Is(err, ca.ErrToken) {
		t.Errorf("the first token still opens: %v", err)
	}
	if _, err := h.reg.RequestByToken(ctx, ca.TokenHash(second.Token), h.now); err != nil {
		t.Error(err)
	}
	body, err := json.Marshal(h.reg.Events())
	h.ok(err)
	if strings.Contains(string(body), first.Token) || strings.Contains(string(body), second.Token) {
		t.Error("a token stands on the ledger")
	}
	h.posts["p-admin"] = nil
	if _, err := h.svc.Draw(ctx, actor("p-admin"), r.ID); !errors.Is(err, ra.ErrApplicant) {
		t.Errorf("after the post has ended: %v", err)
	}
	h.posts["p-admin"] = []string{agency}
	h.now = h.now.Add(72 * time.Hour)
	if _, err := h.svc.Draw(ctx, actor("p-admin"), r.ID); !errors.Is(err, ra.ErrEnded) {
		t.Errorf("after the approval's life: %v", err)
	}
}

// What a leaver asked for is taken back at every stage before the certificates,
// and a token that was drawn ends with it; others keep theirs.
func TestWithdrawAllEndsALeaversRequests(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	r := h.approve(h.review(h.submit()))
	drawn, err := h.svc.Draw(ctx, actor("p-admin"), r.ID)
	h.ok(err)
	if n, err := h.svc.WithdrawAll(ctx, actor("p-sys"), "p-ra"); n != 0 || err != nil {
		t.Errorf("another's leaving: %d, %v", n, err)
	}
	if n, err := h.svc.WithdrawAll(ctx, actor("p-sys"), "p-admin"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := h.state(r.ID); got != ca.RequestWithdrawn {
		t.Errorf("it is %s", got)
	}
	if _, err := h.reg.RequestByToken(ctx, ca.TokenHash(drawn.Token), time.Now()); !errors.Is(err, ca.ErrToken) {
		t.Errorf("the token: %v", err)
	}
	if n, err := h.svc.WithdrawAll(ctx, actor("p-sys"), "p-admin"); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}
