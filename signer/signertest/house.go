package signertest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/seal/picture"
)

// Units, number and key of the sample house.
const (
	Unit      = "11410100MB1234567X"
	MakerUnit = "11410100MB7654321A"
	SealID    = "41010012345678"
	UnitKey   = "unit"
	MakerKey  = "maker"
)

// Start is when the clock of a house begins: 10:00 in China.
func Start() time.Time { return time.Date(2026, 6, 1, 2, 0, 0, 0, time.UTC) }

// Persons of the sample house; each is one person.
var (
	Clerk     = ledger.Actor{Kind: "person", ID: "clerk", Unit: Unit, Role: "clerk"}
	Applicant = ledger.Actor{Kind: "person", ID: "applicant", Unit: Unit}
	Leader    = ledger.Actor{Kind: "person", ID: "leader", Unit: Unit}
	Keeper    = ledger.Actor{Kind: "person", ID: "keeper", Unit: Unit} // seal administrator of the unit
	Admin     = ledger.Actor{Kind: "person", ID: "seal-admin", Unit: MakerUnit}
	Stranger  = ledger.Actor{Kind: "person", ID: "stranger", Unit: MakerUnit}
)

// Keys is a custody of keys in memory.
type Keys map[string]crypto.Signer

// Signer implements life.Keys and signer.Keys.
func (k Keys) Signer(_ context.Context, id string) (crypto.Signer, error) {
	if s, ok := k[id]; ok {
		return s, nil
	}
	return nil, errors.New("no such key")
}

// Class implements life.Keys.
func (k Keys) Class(_ context.Context, id string) (string, error) {
	if _, ok := k[id]; !ok {
		return "", errors.New("no such key")
	}
	return "memory", nil
}

// Posts holds "person@unit" with its roles.
type Posts map[string][]string

// Holds implements life.Posts.
func (p Posts) Holds(_ context.Context, person, unit string, roles ...string) (bool, error) {
	return slices.ContainsFunc(p[person+"@"+unit], func(r string) bool { return slices.Contains(roles, r) }), nil
}

// Approvals are the leader's answers to uses ("id digest") and to asks.
type Approvals struct {
	Uses map[string]string      // "use Use.Approves" → approval id
	Asks map[string]life.Answer // "ask digest" → answer
}

// Say is the leader's answer to a use: the id of an approval, "" for a refusal.
func (a Approvals) Say(u signer.Use, approval string) {
	if sum, err := u.Approves(); err == nil {
		a.Uses[u.ID+" "+sum] = approval
	}
}

// ApprovedUse implements signer.Approver: by use and Use.Approves, as signed
// approvals do.
func (a Approvals) ApprovedUse(_ context.Context, u signer.Use) (string, error) {
	sum, err := u.Approves()
	if err != nil {
		return "", err
	}
	id, ok := a.Uses[u.ID+" "+sum]
	switch {
	case !ok:
		return "", fmt.Errorf("%w: use %s", signer.ErrNotApproved, u.ID)
	case id == "":
		return "", fmt.Errorf("%w: use %s", signer.ErrRefused, u.ID)
	}
	return id, nil
}

// Answer implements life.Approver.
func (a Approvals) Answer(_ context.Context, _ string, q signer.Ask) (life.Answer, error) {
	got, ok := a.Asks[q.ID+" "+q.Digest]
	if !ok {
		return life.Answer{}, fmt.Errorf("%w: %s", signer.ErrNotApproved, q.ID)
	}
	return got, nil
}

// House is the rooms of seals over a register and samples of all the rest.
type House struct {
	*signer.Service
	Life      *life.Service
	Register  *Register
	Approvals Approvals
	Keys      Keys
	Posts     Posts
	MakerCert []byte
	UnitCert  []byte

	use  signer.Config
	life life.Config
	now  atomic.Pointer[time.Time]
	ids  atomic.Int64
}

// Option changes the configuration of a house.
type Option func(*signer.Config, *life.Config)

// NewHouse makes a house without a seal.
func NewHouse(t testing.TB, options ...Option) *House {
	t.Helper()
	h := &House{
		Register: New(t), Approvals: Approvals{Uses: map[string]string{}, Asks: map[string]life.Answer{}}, Keys: Keys{},
		Posts: Posts{
			"clerk@" + Unit: {"clerk"}, "applicant@" + Unit: {"clerk"}, "leader@" + Unit: {"unit_leader"}, "keeper@" + Unit: {"seal_administrator"},
			"seal-admin@" + MakerUnit: {"seal_administrator"}, "stranger@" + MakerUnit: {"clerk", "auditor"},
		},
	}
	h.Set(Start())
	h.MakerCert = h.Key(t, MakerKey, "印章制作系统")
	h.UnitCert = h.Key(t, UnitKey, "样例区大数据管理局")
	sc := signer.Config{
		Register: h.Register, Batches: h.Register, Approver: h.Approvals, Keys: h.Keys, Now: h.Now, NewID: h.NewID, Provider: ofd.Provider{Name: "yinxin", Version: "test"},
	}
	lc := life.Config{
		Register: h.Register, Lists: h.Register, Approver: h.Approvals, Posts: h.Posts, Recorder: h.Register, Keys: h.Keys, MakerUnit: MakerUnit, Now: h.Now, NewID: h.NewID,
	}
	for _, o := range options {
		o(&sc, &lc)
	}
	h.use, h.life = sc, lc
	h.Restart(t)
	return h
}

// Restart builds the rooms again over the same register.
func (h *House) Restart(t testing.TB) {
	t.Helper()
	var err error
	if h.Life, err = life.New(h.life); err != nil {
		t.Fatal(err)
	}
	h.use.Ender = h.Life
	if h.Service, err = signer.New(h.use); err != nil {
		t.Fatal(err)
	}
}

// Now is the clock.
func (h *House) Now() time.Time { return *h.now.Load() }

// Set sets the clock.
func (h *House) Set(t time.Time) { h.now.Store(&t) }

// NewID counts; ids are ordered by time, as UUIDv7 are.
func (h *House) NewID() string { return fmt.Sprintf("id-%06d", h.ids.Add(1)) }

// Key makes a key in custody and a certificate of its own for it.
func (h *House) Key(t testing.TB, id, name string) []byte {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.Keys[id] = k
	c := &smx509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + 1000), Subject: pkix.Name{CommonName: name},
		NotBefore: Start().AddDate(0, -1, 0), NotAfter: Start().AddDate(1, 1, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// drawn is one picture for all tests.
var drawn = sync.OnceValues(func() ([]byte, error) { return picture.Draw(picture.Spec{Unit: "样例区大数据管理局"}) })

// Picture is the sample picture.
func Picture(t testing.TB) seal.Picture {
	t.Helper()
	png, err := drawn()
	if err != nil {
		t.Fatal(err)
	}
	return seal.Picture{Type: "PNG", Data: png, Width: 42, Height: 42}
}

// Application asks for the sample seal.
func Application(t testing.TB) life.Application {
	t.Helper()
	return life.Application{
		ID: SealID, Unit: Unit, Name: "样例区大数据管理局（样章）", Kind: life.KindStatutory, Purpose: "对外行文", Picture: signer.Digest(Picture(t).Data), Drawn: true,
		ValidFrom: Start().AddDate(0, 0, -1), ValidUntil: Start().AddDate(1, 0, 0),
	}
}

// Spec is what the maker adds to it.
func (h *House) Spec(t testing.TB) life.MakeSpec {
	t.Helper()
	a := Application(t)
	return life.MakeSpec{ID: a.ID, CertDER: h.UnitCert, KeyID: UnitKey, ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, Picture: Picture(t)}
}

// Maker is the seal maker.
func (h *House) Maker() life.Maker { return life.Maker{KeyID: MakerKey, CertDER: h.MakerCert} }

// Answer lets the leader answer the open question about a seal.
func (h *House) Answer(t testing.TB, sealID string, yes bool) {
	t.Helper()
	e, err := h.Register.Seal(context.Background(), sealID)
	if err != nil || e.Ask == nil {
		t.Fatalf("nothing is asked about %s: %v", sealID, err)
	}
	h.Approvals.Asks[e.Ask.ID+" "+e.Ask.Digest] = life.Answer{ID: "answer-" + e.Ask.ID, Approver: Leader.ID, Yes: yes, Reason: map[bool]string{false: "不同意"}[yes]}
}

// To walks a new sample seal to a state of its living.
func (h *House) To(t testing.TB, state signer.SealState) signer.Seal {
	t.Helper()
	return h.Walk(t, Application(t), h.Spec(t), state)
}

// Walk walks a new seal to a state of its living.
func (h *House) Walk(t testing.TB, a life.Application, spec life.MakeSpec, state signer.SealState) (e signer.Seal) {
	t.Helper()
	ctx := context.Background()
	for _, step := range []struct {
		to signer.SealState
		do func() (signer.Seal, ledger.Receipt, error)
	}{
		{signer.SealApplied, func() (signer.Seal, ledger.Receipt, error) { return h.Life.Apply(ctx, Applicant, a) }},
		{signer.SealApproved, func() (signer.Seal, ledger.Receipt, error) {
			h.Answer(t, a.ID, true)
			return h.Life.Settle(ctx, Applicant, a.ID)
		}},
		{signer.SealMade, func() (signer.Seal, ledger.Receipt, error) { return h.Life.Make(ctx, Admin, spec, h.Maker()) }},
		{signer.SealFiled, func() (signer.Seal, ledger.Receipt, error) { return h.Life.File(ctx, Admin, a.ID, life.Filing{}) }},
		{signer.SealActive, func() (signer.Seal, ledger.Receipt, error) { return h.Life.Activate(ctx, Admin, a.ID) }},
		{signer.SealSuspended, func() (signer.Seal, ledger.Receipt, error) { return h.Life.Suspend(ctx, Keeper, a.ID, "遗失") }},
	} {
		var err error
		if e, _, err = step.do(); err != nil || e.State != step.to {
			t.Fatalf("to %s: %s, %v", step.to, e.State, err)
		}
		if step.to == state {
			break
		}
	}
	return e
}

// Approve requests a use, lets the leader sign, and marks it.
func (h *House) Approve(t testing.TB, doc []byte) signer.Use {
	t.Helper()
	u, _, err := h.RequestUse(context.Background(), Clerk, signer.UseRequest{Seal: SealID, Document: doc, Title: "通知", Type: "notice", Purpose: "发文"})
	if err != nil {
		t.Fatal(err)
	}
	h.Approvals.Say(u, "approval-"+u.ID)
	if u, _, err = h.MarkApproved(context.Background(), Clerk, u.ID); err != nil {
		t.Fatal(err)
	}
	return u
}

// Notice is a document to be sealed.
func Notice(t testing.TB) []byte {
	t.Helper()
	doc, err := ofd.NewNotice(ofd.Notice{
		Title: "关于启用电子印章的通知", DocNo: "样数发〔2026〕1号", Body: []string{"各单位：", "自即日起启用电子印章。"}, Issuer: "样例区大数据管理局", Date: Start(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
