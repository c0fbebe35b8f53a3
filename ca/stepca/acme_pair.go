package stepca

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/api/render"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// PairIssuer makes the SM2 pair of an order whose finalize request carries an
// SM2 CSR, which smallstep refuses: *ca.Service.
type PairIssuer interface {
	// IssuePair makes one pair for an order, ever; the same CSR again gets it again.
	IssuePair(ctx context.Context, actor ledger.Actor, o ca.PairOrder) (ca.DualResult, error)
	// PairOf finds such a pair by the serial of either half; ca.ErrNotFound.
	PairOf(ctx context.Context, serial string) (ca.DualResult, error)
	Revoke(ctx context.Context, actor ledger.Actor, issuer, serial string, reason int) error
}

// beneath registers smallstep's routes, and puts ours beside those of its
// handlers that cannot read SM2.
type beneath struct {
	chi.Router
	s *acmeServer
}

// MethodFunc implements the router that smallstep registers on.
func (b beneath) MethodFunc(method, pattern string, theirs http.HandlerFunc) {
	s := b.s
	switch pattern {
	case acme.GetUnescapedPathSuffix(acme.FinalizeLinkType, "{provisionerID}", "{ordID}"):
		theirs = beside(theirs, s.own(s.finalizePair), func(_ *http.Request, payload []byte) bool {
			return ca.NamesSM2(field(payload, "csr"))
		})
	case acme.GetUnescapedPathSuffix(acme.RevokeCertLinkType, "{provisionerID}"):
		theirs = beside(theirs, s.own(s.revokePair), func(_ *http.Request, payload []byte) bool {
			return ca.NamesSM2(field(payload, "certificate"))
		})
	case acme.GetUnescapedPathSuffix(acme.CertificateLinkType, "{provisionerID}", "{certID}"):
		theirs = beside(theirs, s.own(s.downloadPair), func(r *http.Request, _ []byte) bool {
			_, err := s.a.row(r.Context(), chi.URLParam(r, "certID"))
			return errors.Is(err, ca.ErrNotFound)
		})
	}
	b.Router.MethodFunc(method, pattern, theirs)
}

// field is a base64url value of a payload, padded or not.
func field(payload []byte, name string) []byte {
	var fields map[string]json.RawMessage
	var text string
	if json.Unmarshal(payload, &fields) != nil || json.Unmarshal(fields[name], &text) != nil {
		return nil
	}
	der, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil
	}
	return der
}

// finalizePair is finalize (RFC 8555 7.4) for an SM2 CSR: the checks of the order
// are those of a P-256 one, and the claim decides which of several callers issues.
func (s *acmeServer) finalizePair(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	k, err := s.signed(ctx, r)
	if err != nil {
		return err
	}
	v, db := visitOf(ctx), acmeDB{s}
	v.track = "sm2"
	o, err := db.GetOrder(ctx, chi.URLParam(r, "ordID"))
	if err != nil {
		return err
	}
	if o.AccountID != k.account.ID {
		return acme.NewDetailedError(acme.ErrorUnauthorizedType, "the order is another account's")
	}
	if err := o.UpdateStatus(ctx, db); err != nil {
		return err
	}
	switch o.Status {
	case acme.StatusReady:
		if err := s.issuePair(ctx, o, field(k.payload, "csr")); err != nil {
			return err
		}
	case acme.StatusValid: // the answer was lost, or another caller was faster
	default:
		return acme.NewDetailedError(acme.ErrorOrderNotReadyType, "the order is %s", o.Status)
	}
	s.linker.LinkOrder(ctx, o)
	w.Header().Set("Location", s.linker.GetLink(ctx, acme.OrderLinkType, o.ID))
	render.JSON(w, r, o)
	return nil
}

// issuePair claims a ready order, has its pair made, and finishes it; or records
// why not.
func (s *acmeServer) issuePair(ctx context.Context, o *acme.Order, csr []byte) error {
	if err := s.claimOrder(ctx, o.ID); err != nil {
		return err
	}
	v := visitOf(ctx)
	got, err := s.pairFor(ctx, v, o, csr)
	if err != nil {
		return s.a.refused(ctx, "ca.certificate.refused", v.actor(), ledger.Object{Kind: "acme_order", ID: o.ID}, err)
	}
	v.certificate, o.CertificateID, o.Status = got.Serial, got.Serial, acme.StatusValid
	return acmeDB{s}.UpdateOrder(ctx, o)
}

func (s *acmeServer) pairFor(ctx context.Context, v *visit, o *acme.Order, csr []byte) (ca.DualResult, error) {
	var hosts []string
	for _, id := range o.Identifiers {
		hosts = append(hosts, id.Value)
	}
	if err := namesExactly(csr, hosts); err != nil {
		return ca.DualResult{}, err
	}
	r, err := s.a.approved(ctx, v.owner.Request)
	if err != nil {
		return ca.DualResult{}, err
	}
	if _, _, err := s.a.admit(ctx, r, hosts); err != nil {
		return ca.DualResult{}, err
	}
	return s.pairs.IssuePair(ctx, v.actor(), ca.PairOrder{Order: o.ID, Request: r.ID, Hosts: hosts, CSR: csr, NotAfter: o.NotAfter})
}

// namesExactly holds a CSR against the identifiers of its order, which it has to
// name all, and no others (RFC 8555 7.4); a common name counts as one.
func namesExactly(der []byte, hosts []string) error {
	csr, err := ca.ParseCSR(der)
	if err != nil {
		return err
	}
	if ca.NamesTwice(csr.DNSNames) {
		return fmt.Errorf("%w: %s", ca.ErrCSR, saysTwice)
	}
	var names []string
	for _, n := range append(csr.DNSNames, csr.Subject.CommonName) {
		if n != "" {
			names = append(names, strings.ToLower(n))
		}
	}
	slices.Sort(names)
	if !slices.Equal(slices.Compact(names), slices.Sorted(slices.Values(hosts))) {
		return fmt.Errorf("%w: its names are not those of the order", ca.ErrCSR)
	}
	return nil
}
