package stepca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/smallstep/certificates/acme"
	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/db"
	"github.com/smallstep/certificates/errs"
	"golang.org/x/crypto/ssh"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
)

// database is the db.AuthDB of smallstep on the registry. It also answers the
// optional interfaces that smallstep finds by assertion: without them it would
// issue certificates that nobody recorded, in silence. SSH is not served.
type database struct {
	a *Authority
}

// UseToken lets every token pass: who is shown it has not checked the signature
// yet. It is used up in the transaction that records the certificate it opens
// (passage, ca.Registry.ReserveOnce), and nothing else is given for a token.
func (d *database) UseToken(string, string) (bool, error) { return true, nil }

// IsRevoked is asked before a renewal; a serial that is not in the registry is
// an error, because smallstep would renew it. A hold is for the service to see.
func (d *database) IsRevoked(serial string) (bool, error) {
	row, err := d.row(serial)
	if err != nil {
		return false, err
	}
	return row.State == ca.StateRevoked, nil
}

// Revoke ends a certificate of a system. The free text of the client is not
// kept: a ledger takes no text that may hold personal information.
func (d *database) Revoke(rci *db.RevokedCertificateInfo) error {
	row, err := d.row(rci.Serial)
	if err != nil {
		return err
	}
	if !leafKind(row.Kind) {
		return answer(ErrPeer)
	}
	if !slices.Contains(holderReasons(), rci.ReasonCode) {
		if rci.ACME {
			return acme.NewDetailedError(acme.ErrorBadRevocationReasonType, "reason %d is not for the holder to give", rci.ReasonCode)
		}
		return errs.BadRequest("reason code %d is not for the holder to give", rci.ReasonCode)
	}
	actor := ledger.Actor{Kind: "system", ID: row.System, Unit: row.Agency, Certificate: row.Serial}
	ev, err := newEvent(d.a.rand, d.a.now(), "ca.certificate.revoked", actor, ledger.Object{Kind: "certificate", ID: row.Serial})
	if err != nil {
		return err
	}
	ev.Details["issuer"], ev.Details["reason"] = row.Issuer, fmt.Sprint(rci.ReasonCode)
	ctx, cancel := d.a.call()
	defer cancel()
	at := d.a.now().UTC().Truncate(time.Microsecond)
	_, err = d.a.registry.SetState(ctx, row.Issuer, row.Serial, ca.StateRevoked, rci.ReasonCode, at, ev)
	if errors.Is(err, ca.ErrRevoked) {
		return db.ErrAlreadyExists
	}
	return answer(err)
}

// holderReasons are the reasons of RFC 5280 5.3.1 that a holder may give: none
// about the authority, no hold (an officer's act), no removal from a list.
func holderReasons() []int {
	return []int{
		ca.ReasonUnspecified, ca.ReasonKeyCompromise, ca.ReasonAffiliationChanged,
		ca.ReasonSuperseded, ca.ReasonCessationOfOperation, ca.ReasonPrivilegeWithdrawn,
	}
}

// GetCertificate returns a signed certificate.
func (d *database) GetCertificate(serial string) (*x509.Certificate, error) {
	row, err := d.row(serial)
	if err != nil {
		return nil, err
	}
	if row.DER == nil {
		return nil, answer(ca.ErrState)
	}
	return x509.ParseCertificate(row.DER)
}

// GetCertificateData names the provisioner of a certificate: there is one.
func (d *database) GetCertificateData(serial string) (*db.CertificateData, error) {
	if _, err := d.row(serial); err != nil {
		return nil, err
	}
	return &db.CertificateData{Provisioner: &db.ProvisionerData{
		ID: provisionerName, Name: provisionerName, Type: provisioner.TypeJWK.String(),
	}}, nil
}

// StoreCertificateChain checks that the certificate is already recorded as
// good: the service did that before and after signing. The very certificate that
// it handed to smallstep needs no second look.
func (d *database) StoreCertificateChain(_ provisioner.Interface, chain ...*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("stepca: empty certificate chain")
	}
	if _, ours := d.a.handed.LoadAndDelete(chain[0]); ours {
		return nil
	}
	return d.StoreCertificate(chain[0])
}

// StoreRenewedCertificate checks the same of a follower.
func (d *database) StoreRenewedCertificate(_ *x509.Certificate, chain ...*x509.Certificate) error {
	return d.StoreCertificateChain(nil, chain...)
}

// StoreCertificate checks the same of one certificate.
func (d *database) StoreCertificate(crt *x509.Certificate) error {
	ctx, cancel := d.a.call()
	defer cancel()
	_, err := d.a.recorded(ctx, crt)
	return err
}

func (d *database) row(serial string) (ca.Certificate, error) {
	n, ok := new(big.Int).SetString(serial, 10)
	if !ok || n.Sign() <= 0 {
		return ca.Certificate{}, answer(ca.ErrNotFound)
	}
	ctx, cancel := d.a.call()
	defer cancel()
	row, err := d.a.row(ctx, n.Text(16))
	if err != nil {
		return ca.Certificate{}, answer(err)
	}
	return row, nil
}

// Shutdown leaves the registry open: who opened it closes it.
func (d *database) Shutdown() error { return nil }

// The SSH half of the interface is not served.

func (d *database) IsSSHRevoked(string) (bool, error)          { return false, db.ErrNotImplemented }
func (d *database) RevokeSSH(*db.RevokedCertificateInfo) error { return db.ErrNotImplemented }
func (d *database) IsSSHHost(string) (bool, error)             { return false, db.ErrNotImplemented }
func (d *database) GetSSHHostPrincipals() ([]string, error)    { return nil, db.ErrNotImplemented }
func (d *database) StoreSSHCertificate(*ssh.Certificate) error { return db.ErrNotImplemented }
