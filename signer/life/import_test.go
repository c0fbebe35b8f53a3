package life_test

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/life"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/signertest"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// service is an accredited service with a root, an authority between, a seal
// maker and a unit's seal.
type service struct {
	root, between  []byte
	maker, unit    []byte // certificates
	makerKey       *sm2.PrivateKey
	unitKey        *sm2.PrivateKey
	rootKey, caKey *sm2.PrivateKey
}

func newKey(t *testing.T) *sm2.PrivateKey {
	t.Helper()
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certify issues a certificate; a nil parent signs itself.
func certify(t *testing.T, subject pkix.Name, key *sm2.PrivateKey, parent []byte, parentKey *sm2.PrivateKey, edit func(*smx509.Certificate)) []byte {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	c := &smx509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: signertest.Start().AddDate(0, -2, 0), NotAfter: signertest.Start().AddDate(1, 0, 0),
		KeyUsage: smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment, BasicConstraintsValid: true,
	}
	if edit != nil {
		edit(c)
	}
	by := c
	if parent != nil {
		if by, err = smx509.ParseCertificate(parent); err != nil {
			t.Fatal(err)
		}
	} else {
		parentKey = key
	}
	der, err := smx509.CreateCertificate(rand.Reader, c, by, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func authority(c *smx509.Certificate) {
	c.IsCA, c.KeyUsage = true, smx509.KeyUsageCertSign|smx509.KeyUsageCRLSign
}

func newService(t *testing.T) *service {
	s := &service{makerKey: newKey(t), unitKey: newKey(t), rootKey: newKey(t), caKey: newKey(t)}
	s.root = certify(t, pkix.Name{CommonName: "样例电子政务根"}, s.rootKey, nil, nil, authority)
	s.between = certify(t, pkix.Name{CommonName: "样例电子政务CA"}, s.caKey, s.root, s.rootKey, authority)
	s.maker = certify(t, pkix.Name{CommonName: "样例省统一印章制作系统"}, s.makerKey, s.between, s.caKey, nil)
	s.unit = certify(t, pkix.Name{CommonName: "41010000000077", Organization: []string{signertest.Unit + "样例区大数据管理局"}}, s.unitKey, s.between, s.caKey, nil)
	return s
}

func (s *service) seal(t *testing.T, edit func(*seal.Spec)) []byte {
	t.Helper()
	spec := seal.Spec{
		ID: "41010000000077", Vendor: "sample", Type: 1, Name: "样例区大数据管理局", Certs: [][]byte{s.unit}, Created: signertest.Start().AddDate(0, -1, 0),
		ValidFrom: signertest.Start().AddDate(0, -1, 0), ValidUntil: signertest.Start().AddDate(0, 6, 0), Picture: signertest.Picture(t),
	}
	if edit != nil {
		edit(&spec)
	}
	der, err := seal.Make(spec, s.makerKey, s.maker)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (s *service) spec(t *testing.T) life.ImportSpec {
	return life.ImportSpec{
		Unit: signertest.Unit, Kind: life.KindStatutory, Purpose: "对外行文", SealDER: s.seal(t, nil), CertDER: s.unit, Chain: [][]byte{s.between}, KeyID: "imported",
		Filing: "豫章备〔2026〕7号",
	}
}

// licence is what the operator lists for the service.
var licence = signer.Accreditation{
	Service: "样例电子认证服务", Licence: "国密局电政认字第0000号", URL: "https://ca.example/", ValidFrom: signertest.Start().AddDate(-1, 0, 0), ValidUntil: signertest.Start().AddDate(0, 3, 0),
}

func (s *service) house(t *testing.T) *signertest.House {
	o := &outside{received: map[string][]life.Reliance{}, revoked: map[string]time.Time{}}
	h := signertest.NewHouse(t, func(_ *signer.Config, c *life.Config) {
		c.Accredited = []life.Anchor{{DER: s.root, Licences: []signer.Accreditation{licence}}}
		c.Reports, c.Uses = c.Register.(life.Reports), c.Register.(life.Uses)
		c.Revoker, c.Reliers, c.Notifier = o, o, o
	})
	h.Keys["imported"] = s.unitKey
	return h
}

// 国令716 art. 9, 商用密码管理条例 art. 30: an imported seal walks on like any other,
// is used with the key in custody, and what it seals verifies to the service's
// own anchor.
func TestImport(t *testing.T) {
	for _, layout := range []string{"", seal.LayoutV1} {
		s := newService(t)
		h := s.house(t)
		spec := s.spec(t)
		spec.SealDER = s.seal(t, func(x *seal.Spec) { x.Layout = layout })
		e, _, err := h.Life.Import(ctx, signertest.Admin, spec)
		if err != nil {
			t.Fatal(err)
		}
		if e.Drawn || e.State != signer.SealApplied || !e.Awaits() || e.CustodyClass != "memory" || *e.Accreditation != licence || e.ID != "41010000000077" {
			t.Errorf("%+v", e)
		}
		var state *signer.StateError
		if err := third(h.Life.File(ctx, signertest.Admin, e.ID, life.Filing{Number: spec.Filing, On: signertest.Start()})); !errors.As(err, &state) {
			t.Errorf("filed without the leader's yes: %v", err)
		}
		if err := third(h.Life.Settle(ctx, signertest.Admin, e.ID)); !errors.Is(err, signer.ErrNotApproved) {
			t.Errorf("adopted without the leader's yes: %v", err)
		}
		h.Answer(t, e.ID, true)
		if e, _, err = h.Life.Settle(ctx, signertest.Admin, e.ID); err != nil || e.State != signer.SealMade || e.Ask != nil || e.Approver != signertest.Leader.ID {
			t.Fatalf("%+v, %v", e.Life, err)
		}
		if err := third(h.Life.File(ctx, signertest.Admin, e.ID, life.Filing{})); !errors.Is(err, life.ErrFiling) {
			t.Errorf("filed as a sample: %v", err)
		}
		if err := third(h.Life.File(ctx, signertest.Admin, e.ID, life.Filing{Number: spec.Filing, On: signertest.Start()})); err != nil {
			t.Fatal(err)
		}
		if err := third(h.Life.Activate(ctx, signertest.Keeper, e.ID)); err != nil {
			t.Fatal(err)
		}
		doc := signertest.Notice(t)
		u, _, err := h.RequestUse(ctx, signertest.Clerk, signer.UseRequest{Seal: e.ID, Document: doc, Title: "通知"})
		if err != nil {
			t.Fatal(err)
		}
		h.Approvals.Say(u, "approval")
		if _, _, err = h.MarkApproved(ctx, signertest.Clerk, u.ID); err != nil {
			t.Fatal(err)
		}
		got, err := h.Seal(ctx, signertest.Clerk, u.ID, doc, signer.Placement{})
		if err != nil {
			t.Fatal(err)
		}
		rep, err := verify.Document(ctx, got.Document, verify.Options{Trust: verify.NewTrust(s.root, s.between), Now: h.Now})
		if err != nil || rep.Verdict != verify.Valid {
			t.Errorf("%q: %s, %v", layout, rep.Verdict, err)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	codes := map[string]string{
		"the key in custody is another": life.ImportKey, "a certificate that the seal does not list": life.ImportCertificate, "a seal that was changed": life.ImportMaker,
		"no seal": life.ImportSeal, "the authority between is missing": life.ImportChain, "another service": life.ImportChain,
		"a maker of the house for an accredited certificate": life.ImportChain, "a unit that the certificate does not name": life.ImportUnit,
		"the seal is over": life.ImportPeriod, "the certificate is over": life.ImportPeriod, "the accreditation is over": life.ImportAccreditation,
	}
	for name, c := range map[string]struct {
		edit func(t *testing.T, s *service, h *signertest.House, x *life.ImportSpec)
		want error
	}{
		"the key in custody is another": {func(t *testing.T, _ *service, h *signertest.House, _ *life.ImportSpec) {
			h.Keys["imported"] = newKey(t)
		}, life.ErrImport},
		"a certificate that the seal does not list": {func(t *testing.T, s *service, _ *signertest.House, x *life.ImportSpec) {
			x.CertDER = certify(t, pkix.Name{CommonName: "x", Organization: []string{signertest.Unit}}, s.unitKey, s.between, s.caKey, nil)
		}, life.ErrImport},
		"a seal that was changed": {func(_ *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) {
			x.SealDER[len(x.SealDER)-1] ^= 1
		}, life.ErrImport},
		"no seal":                          {func(_ *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) { x.SealDER = []byte("seal") }, life.ErrImport},
		"the authority between is missing": {func(_ *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) { x.Chain = nil }, life.ErrImport},
		"another service": {func(t *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) {
			other := newService(t)
			x.SealDER, x.CertDER, x.Chain = other.seal(t, nil), other.unit, [][]byte{other.between}
		}, life.ErrImport},
		"a maker of the house for an accredited certificate": {func(t *testing.T, s *service, h *signertest.House, x *life.ImportSpec) {
			der, err := seal.Make(seal.Spec{
				ID: "41010000000077", Vendor: "sample", Type: 1, Name: "样例", Certs: [][]byte{s.unit}, Created: signertest.Start(), ValidFrom: signertest.Start().AddDate(0, 0, -1),
				ValidUntil: signertest.Start().AddDate(0, 6, 0), Picture: signertest.Picture(t),
			}, h.Keys[signertest.MakerKey], h.MakerCert)
			if err != nil {
				t.Fatal(err)
			}
			x.SealDER = der
		}, life.ErrImport},
		"a unit that the certificate does not name": {func(_ *testing.T, _ *service, h *signertest.House, x *life.ImportSpec) { x.Unit = signertest.MakerUnit }, life.ErrImport},
		"the seal is over": {func(_ *testing.T, _ *service, h *signertest.House, _ *life.ImportSpec) {
			h.Set(signertest.Start().AddDate(0, 7, 0))
		}, life.ErrImport},
		"the certificate is over": {func(_ *testing.T, _ *service, h *signertest.House, _ *life.ImportSpec) {
			h.Set(signertest.Start().AddDate(1, 1, 0))
		}, life.ErrImport},
		"the accreditation is over": {func(_ *testing.T, _ *service, h *signertest.House, _ *life.ImportSpec) {
			h.Set(licence.ValidUntil)
		}, life.ErrImport},
		"no filing number":        {func(_ *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) { x.Filing = "" }, life.ErrFiling},
		"a key that nobody holds": {func(_ *testing.T, _ *service, h *signertest.House, _ *life.ImportSpec) { delete(h.Keys, "imported") }, errAny},
		"who imports becomes a user": {func(_ *testing.T, _ *service, _ *signertest.House, x *life.ImportSpec) {
			x.Authorisation.Users = []signer.User{{Person: signertest.Admin.ID}}
		}, life.ErrSeparation},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			h, spec := s.house(t), s.spec(t)
			c.edit(t, s, h, &spec)
			err := third(h.Life.Import(ctx, signertest.Admin, spec))
			if err == nil || c.want != errAny && !errors.Is(err, c.want) || len(h.Register.Events(0)) != 0 {
				t.Errorf("%v, events %v", err, h.Register.Events(0))
			}
			var why *life.ImportError
			if errors.Is(err, life.ErrImport) && (!errors.As(err, &why) || why.Code != codes[name]) {
				t.Errorf("%+v, want %s", why, codes[name])
			}
		})
	}
	t.Run("no anchors", func(t *testing.T) {
		s := newService(t)
		h := signertest.NewHouse(t)
		h.Keys["imported"] = s.unitKey
		if err := third(h.Life.Import(ctx, signertest.Admin, s.spec(t))); !errors.Is(err, life.ErrImport) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the number is taken, and only a seal maker imports", func(t *testing.T) {
		s := newService(t)
		h, spec := s.house(t), s.spec(t)
		if err := third(h.Life.Import(ctx, signertest.Keeper, spec)); !errors.Is(err, life.ErrRole) {
			t.Errorf("%v", err)
		}
		for _, want := range []error{nil, signer.ErrExists} {
			if err := third(h.Life.Import(ctx, signertest.Admin, spec)); !errors.Is(err, want) {
				t.Errorf("%v", err)
			}
		}
	})
}

// What the leader signs is the seal that was imported, by the one who did not
// import it; and what time changed meanwhile is seen when the yes is taken.
func TestImportWaitsForTheLeader(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *service, h *signertest.House, e signer.Seal)
		want error
	}{
		"the key was reported": {func(t *testing.T, _ *service, h *signertest.House, e signer.Seal) {
			report := life.Report{KeyID: e.KeyID, Since: signertest.Start(), Reason: "疑似泄露"}
			if err := third(h.Life.ReportCompromise(ctx, signertest.Admin, report)); err != nil {
				t.Fatal(err)
			}
			if e, err := h.Life.Seal(ctx, e.ID); err != nil || e.State != signer.SealCancelled {
				t.Errorf("%s, %v", e.State, err)
			}
		}, life.ErrNotAsked},
		"the key in custody is another": {func(t *testing.T, _ *service, h *signertest.House, _ signer.Seal) {
			h.Keys["imported"] = newKey(t)
		}, life.ErrImport},
		"the seal is over": {func(_ *testing.T, _ *service, h *signertest.House, _ signer.Seal) {
			h.Set(signertest.Start().AddDate(0, 7, 0))
		}, life.ErrImport},
		"who imported answers": {func(_ *testing.T, _ *service, h *signertest.House, e signer.Seal) {
			h.Approvals.Asks[e.Ask.ID+" "+e.Ask.Digest] = life.Answer{ID: "x", Approver: signertest.Admin.ID, Yes: true}
		}, life.ErrSeparation},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			h := s.house(t)
			e, _, err := h.Life.Import(ctx, signertest.Admin, s.spec(t))
			if err != nil {
				t.Fatal(err)
			}
			h.Answer(t, e.ID, true)
			c.do(t, s, h, e)
			n := len(h.Register.Events(0))
			if err := third(h.Life.Settle(ctx, signertest.Admin, e.ID)); !errors.Is(err, c.want) || len(h.Register.Events(0)) != n {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("refused, imported again with another purpose", func(t *testing.T) {
		s := newService(t)
		h, spec := s.house(t), s.spec(t)
		first, _, err := h.Life.Import(ctx, signertest.Admin, spec)
		if err != nil {
			t.Fatal(err)
		}
		h.Answer(t, first.ID, false)
		if e, _, err := h.Life.Settle(ctx, signertest.Admin, first.ID); err != nil || e.State != signer.SealRefused || e.Ask != nil {
			t.Fatalf("%s, %v", e.State, err)
		}
		spec.Purpose = "仅用于证明"
		second, _, err := h.Life.Import(ctx, signertest.Admin, spec)
		if err != nil || second.State != signer.SealApplied || second.Ask.Digest == first.Ask.Digest || second.Ask.ID == first.Ask.ID {
			t.Fatalf("%+v, %v", second.Ask, err)
		}
		h.Answer(t, first.ID, true)
		e, _, err := h.Life.Settle(ctx, signertest.Admin, first.ID)
		if err != nil || e.State != signer.SealMade || e.Purpose != spec.Purpose {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("a number of the house is not taken over", func(t *testing.T) {
		s := newService(t)
		h := s.house(t)
		h.To(t, signer.SealApplied)
		h.Answer(t, id, false)
		if err := third(h.Life.Settle(ctx, signertest.Applicant, id)); err != nil {
			t.Fatal(err)
		}
		spec := s.spec(t)
		spec.SealDER = s.seal(t, func(x *seal.Spec) { x.ID = id })
		if err := third(h.Life.Import(ctx, signertest.Admin, spec)); !errors.Is(err, signer.ErrExists) {
			t.Errorf("%v", err)
		}
	})
}

var errAny = errors.New("any")
