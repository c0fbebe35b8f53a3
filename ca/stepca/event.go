package stepca

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// newEvent makes an event of this room (class: certification information,
// 电子签名法 art. 24).
func newEvent(rand io.Reader, now time.Time, kind string, actor ledger.Actor, object ledger.Object) (ledger.Event, error) {
	id, err := uuid.NewV7FromReader(rand)
	if err != nil {
		return ledger.Event{}, fmt.Errorf("stepca: draw event id: %w", err)
	}
	return ledger.Event{
		ID: id.String(), Type: kind, Class: ledger.ClassCertificate,
		Time:  now.UTC().Truncate(time.Millisecond),
		Actor: actor, Object: object, Outcome: ledger.Success,
		Details: map[string]string{"track": "ecdsa"},
	}, nil
}

func (i *issuer) event(kind string, o order, row ca.Certificate) (ledger.Event, error) {
	ev, err := newEvent(i.rand, i.now(), kind, o.actor, ledger.Object{Kind: "certificate", ID: row.Serial})
	if err != nil {
		return ev, err
	}
	ev.Payload = row.TBSSM3
	ev.Details["issuer"], ev.Details["profile"] = row.Issuer, string(o.profile)
	ev.Details["not_after"] = row.NotAfter.UTC().Format(time.RFC3339)
	if o.request.ID != "" {
		ev.Details["certificate_request"], ev.Details["approval"] = o.request.ID, o.request.Approval
	}
	if o.renews != "" {
		ev.Details["renews"] = o.renews
	}
	return ev, nil
}

// refused records that a request of an authenticated caller was turned down,
// and hands the cause on. A refusal that cannot be recorded is an error of the
// house, not an answer.
func (a *Authority) refused(ctx context.Context, kind string, actor ledger.Actor, object ledger.Object, cause error) error {
	ev, err := newEvent(a.rand, a.now(), kind, actor, object)
	if err != nil {
		return err
	}
	ev.Outcome = ledger.Failure
	visitOf(ctx).mark(ev)
	ev.Details["cause"] = outcome(cause)
	if _, err := a.recorder.Record(ctx, ev); err != nil {
		return fmt.Errorf("stepca: record refusal: %w", err)
	}
	return recorded{cause}
}

func systemActor(r ca.Request) ledger.Actor {
	return ledger.Actor{Kind: "system", ID: r.System, Unit: r.Agency}
}

func houseActor() ledger.Actor { return ledger.Actor{Kind: "service", ID: "ca"} }
