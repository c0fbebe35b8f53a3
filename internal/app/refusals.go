package app

import (
	"context"
	"strconv"

	"github.com/emmansun/gmsm/smx509"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/internal/api"
)

// refusals puts what the API turned down at its door on the ledger: each time for
// a system that the registry knows, its certificate good or not, and once a
// minute for strangers.
type refusals struct {
	house     *House
	strangers ca.Strangers
}

// Refused implements api.Refusals.
func (f *refusals) Refused(ctx context.Context, r api.Refusal) {
	h := f.house
	ctx = context.WithoutCancel(ctx)
	ev := ledger.Event{
		ID: newID(), Type: "api.call.refused", Class: ledger.ClassAccess, Time: h.now(), Actor: h.service(),
		Object: ledger.Object{Kind: "route", ID: r.Route}, Outcome: ledger.Failure,
		Details: map[string]string{"status": strconv.Itoa(r.Status), "cause": r.Code},
	}
	if actor, ok := f.known(ctx, r); ok {
		ev.Actor = actor
	} else {
		passed, due := f.strangers.Due(h.now())
		if !due {
			return
		}
		ev.Details["caller"], ev.Details["passed_over"] = "unknown", strconv.Itoa(passed)
	}
	if _, err := h.Ledger.Record(ctx, ev); err != nil {
		h.cfg.Log.ErrorContext(ctx, "a refusal was not recorded", "error", err)
	}
}

// known is the system whose certificate was shown, also one that is revoked.
func (f *refusals) known(ctx context.Context, r api.Refusal) (ledger.Actor, bool) {
	if len(r.Chain) < 2 {
		return ledger.Actor{}, false
	}
	issuer, err := smx509.ParseCertificate(r.Chain[1].Raw)
	if err != nil {
		return ledger.Actor{}, false
	}
	row, err := f.house.rooms.CA.Certificate(ctx, ca.IssuerID(issuer), ca.FormatSerial(r.Chain[0].SerialNumber))
	if err != nil || row.System == "" {
		return ledger.Actor{}, false
	}
	return ledger.Actor{Kind: "system", ID: row.System, Unit: row.Agency, Certificate: row.Serial}, true
}
