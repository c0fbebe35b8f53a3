package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/internal/agent"
	"github.com/yinxin-gov/yinxin/internal/api/wire"
	"github.com/yinxin-gov/yinxin/signer"
	"github.com/yinxin-gov/yinxin/signer/ofd"
	"github.com/yinxin-gov/yinxin/signer/seal"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// loadDocument reads Doc, or makes the sample notice.
func (w *walk) loadDocument() error {
	if w.cfg.Doc == "" {
		w.title = "关于开展社会救助对象信息核对工作的通知（样例）"
		doc, err := ofd.NewNotice(ofd.Notice{
			Title: w.title, DocNo: "样民发〔2026〕1号", Issuer: "样例区民政局", Date: w.now(),
			Body: []string{
				"样例区人力资源和社会保障局：",
				"为做好社会救助对象认定工作，现将有关信息核对事项通知如下。本文为样例文件，所载单位、人员和数据均属虚构，不具有任何效力。",
				"一、核对范围。列入本年度社会救助范围的家庭及其成员的基本信息和救助等级。",
				"二、使用要求。所提供信息仅限用于社会救助工作，不得擅自降低其安全等级，不得擅自向第三方提供，不得用于或者变相用于其他目的。",
				"三、留存要求。确需留存的，应当落实管理、安全与保密责任，到期销毁并留存记录。",
			},
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDocument, err)
		}
		w.plain = doc
		return nil
	}
	doc, err := readDocument(w.cfg.Doc)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	pkg, err := ofd.Open(doc)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if len(pkg.Signatures()) > 0 {
		return fmt.Errorf("%w: it is sealed already", ErrDocument)
	}
	w.plain, w.title = doc, filepath.Base(w.cfg.Doc)
	return nil
}

// maxDocument is what the house's own API takes.
const maxDocument = 32 << 20

func readDocument(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	case info.Size() > maxDocument:
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxDocument)
	}
	return os.ReadFile(name)
}

// enrol turns one token each into the certificates of both tracks; each system
// makes its own keys in its own folder. One more token stays unspent.
func (w *walk) enrol(ctx context.Context) error {
	w.tell.head("demo.chapter.enrol")
	for _, key := range []string{office, provider, unitA, unitB} {
		a := w.agencies[key]
		drawn, err := w.token(ctx, a)
		if err != nil {
			return err
		}
		ag, err := agent.Enrol(ctx, w.agentConfig(a.system.ID), drawn.Token)
		if err != nil {
			return fmt.Errorf("enrol %s: %w", a.system.ID, err)
		}
		w.agents[key] = ag
		all, err := w.house.CertificatesOf(ctx, a.system.ID)
		if err != nil {
			return err
		}
		// Nobody else acts while the demo walks: the newest entry is the mTLS
		// certificate, the last record of this enrolment.
		last := ledger.Receipt{Seq: w.house.Ledger.Head().Size - 1, Promise: ledger.Integrated}
		w.tell.done(last, "demo.enrol.system", "id", a.system.ID, "n", fmt.Sprint(len(all)))
		eab, err := w.house.StepCA.CreateEAB(ctx, drawn.Request, ledger.Actor{})
		if err != nil {
			return fmt.Errorf("ACME key of %s: %w", a.system.ID, err)
		}
		w.acme[a.system.ID] = ACMEAccount{KeyID: eab.KID, HMAC: eab.HMAC, Hosts: a.system.Hosts}
	}
	drawn, err := w.token(ctx, w.agencies[unitA])
	if err != nil {
		return err
	}
	w.spare = append(w.spare, Enrolment{System: drawn.Request.System, Hosts: drawn.Request.Hosts, Token: drawn.Token,
		Expires: drawn.Request.TokenExpires.Format(time.RFC3339), URL: w.url + wire.PathEnrol})
	return nil
}

// token asks for certificates of a system, has the leader check identity and the
// RA officer sign, and draws the one-time enrolment token.
func (w *walk) token(ctx context.Context, a *agency) (ra.Drawn, error) {
	admin := w.house.PersonActor(a.sysadmin.ID, a.unit.USCC)
	req, _, err := w.house.RA.Submit(ctx, admin, ca.Request{
		Agency: string(a.unit.USCC), System: a.system.ID, CommonName: a.system.Name, Organization: a.unit.Name, Hosts: a.system.Hosts,
	})
	if err != nil {
		return ra.Drawn{}, err
	}
	op := w.agencies[office]
	req, _, err = w.house.RA.Review(ctx, w.house.PersonActor(op.leader.ID, op.unit.USCC), req.ID, []ra.Shown{
		{Kind: ca.EvidenceUSCC, Number: string(a.unit.USCC), Method: ca.MethodRegister},
		{Kind: ca.EvidenceAuthorisation, Number: "样例授权书", Method: ca.MethodOriginal, Note: "样例"},
	})
	if err != nil {
		return ra.Drawn{}, err
	}
	if err := w.raApproves(ctx, w.house.RequestSubject(req)); err != nil {
		return ra.Drawn{}, err
	}
	if _, _, err := w.house.RA.Approve(ctx, w.house.PersonActor(w.ra.ID, op.unit.USCC), req.ID); err != nil {
		return ra.Drawn{}, err
	}
	return w.house.RA.Draw(ctx, admin, req.ID)
}

func (w *walk) agentConfig(system string) agent.Config {
	tlsRoot, sm2Root := w.house.Roots()
	return agent.Config{URL: w.url, Dir: w.path("clients", system), TLSRoot: tlsRoot, SM2Root: sm2Root, System: system}
}

// seal puts the provider's seal on the document and verifies the result as a
// receiver would.
func (w *walk) seal(ctx context.Context) error {
	w.tell.head("demo.chapter.seal")
	a := w.agencies[provider]
	sealed, err := w.useSeal(ctx, a, w.plain, w.title)
	if err != nil {
		return err
	}
	w.sealed = sealed
	if w.samples.Plain, err = w.sample("notice.ofd", w.plain); err != nil {
		return err
	}
	if w.samples.Sealed, err = w.sample("notice-sealed.ofd", w.sealed); err != nil {
		return err
	}
	rep, err := w.house.Verify(ctx, w.sealed)
	if err != nil {
		return err
	}
	if rep.Verdict != verify.Valid {
		return fmt.Errorf("the sealed document is %s, %s", rep.Verdict, rep.Integrity)
	}
	w.tell.plain(true, "demo.seal.verified", "verdict", string(rep.Verdict), "integrity", string(rep.Integrity), "files", fmt.Sprint(len(rep.Signatures[0].Coverage.Covered)))
	return nil
}

// useSeal walks one use of seal of a unit: request, approval, seal.
func (w *walk) useSeal(ctx context.Context, a *agency, doc []byte, title string) ([]byte, error) {
	clerk := w.house.PersonActor(a.clerk.ID, a.unit.USCC)
	use, rc, err := w.house.Signer.RequestUse(ctx, clerk, signer.UseRequest{Seal: a.sealID, Document: doc, Title: title, Type: "notice", Purpose: "样例行文"})
	if err != nil {
		return nil, err
	}
	w.tell.done(rc, "demo.seal.requested", "title", title, "sm3", use.Document)
	subject, err := w.house.UseSubject(ctx, use)
	if err != nil {
		return nil, err
	}
	if _, rc, err = w.house.Approve(ctx, subject, a.leader.ID, a.leader.pin, true, ""); err != nil {
		return nil, err
	}
	w.tell.done(rc, "demo.seal.approved", "unit", a.unit.Name, "leader", a.leader.Name)
	if _, _, err := w.house.Signer.MarkApproved(ctx, clerk, use.ID); err != nil {
		return nil, err
	}
	out, err := w.house.Signer.Seal(ctx, clerk, use.ID, doc, signer.Placement{})
	if err != nil {
		return nil, err
	}
	w.tell.done(out.Receipt, "demo.seal.sealed", "sm3", out.Use.Sealed)
	return out.Document, nil
}

// send is the transfer to A over HTTPS with mTLS on both ends of the way.
func (w *walk) send(ctx context.Context) error {
	w.tell.head("demo.chapter.transfer")
	from, to := w.agents[provider], w.agents[unitA]
	t, err := from.Send(ctx, wire.SendRequest{To: w.agencies[unitA].system.ID, Resource: resNotice, Purpose: purposeAssist, Name: "notice-sealed.ofd", Document: w.sealed})
	if err != nil {
		return err
	}
	w.tell.done(t.Receipt, "demo.transfer.sent", "to", w.agencies[unitA].unit.Name, "label", t.Label.String(), "decision", t.Decision)
	inbox, err := to.Inbox(ctx)
	if err != nil {
		return err
	}
	if len(inbox) != 1 || inbox[0].ID != t.ID {
		return fmt.Errorf("the inbox holds %d transfers", len(inbox))
	}
	got, err := to.Fetch(ctx, t.ID)
	if err != nil {
		return err
	}
	w.tell.plain(true, "demo.transfer.fetched", "sm3", got.Header.Document)
	rep, err := verify.Document(ctx, got.Document, verify.Options{Trust: w.house.Trust(), Now: w.now})
	if err != nil {
		return err
	}
	if rep.Verdict != verify.Valid || !bytes.Equal(got.Document, w.sealed) {
		return fmt.Errorf("the received document is %s", rep.Verdict)
	}
	w.tell.plain(true, "demo.transfer.verified", "verdict", string(rep.Verdict))
	if t, err = to.Confirm(ctx, got); err != nil {
		return err
	}
	w.tell.done(t.Receipt, "demo.transfer.received", "holding", t.Holding, "label", t.Label.String())
	w.transfer = Transfer{ID: t.ID, From: t.From, To: t.To, Holding: t.Holding, Document: t.Document}
	w.samples.Received, err = w.sample("notice-received.ofd", got.Document)
	return err
}

// sample writes a file of the out folder and returns its name for the manifest.
func (w *walk) sample(name string, data []byte) (string, error) {
	rel := filepath.Join("out", name)
	return rel, os.WriteFile(w.path(rel), data, 0o644)
}

// writeSeal keeps a seal and its picture beside the samples.
func (w *walk) writeSeal(id string, s signer.Seal) error {
	parsed, err := seal.ParseSeal(s.DER)
	if err != nil {
		return err
	}
	if _, err := w.sample("seal-"+id+".esl", s.DER); err != nil {
		return err
	}
	_, err = w.sample("seal-"+id+".png", parsed.Picture.Data)
	return err
}
