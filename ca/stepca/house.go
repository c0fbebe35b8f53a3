package stepca

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/profile"
)

// HouseOrder asks for the certificate of a service of the house whose key lies
// in custody. It needs no approval, as those of the SM2 track do not (ca.KindService).
type HouseOrder struct {
	Profile    profile.Name // profile.ECDSATSA: no other service of this track has a key in custody
	System     string       // the service's name in the registry
	CommonName string
	Public     *ecdsa.PublicKey
}

// IssueHouse issues it by the same path as every other: lint → record → sign →
// record.
func (a *Authority) IssueHouse(ctx context.Context, h HouseOrder) (ca.Certificate, error) {
	if h.Profile != profile.ECDSATSA || h.System == "" {
		return ca.Certificate{}, fmt.Errorf("%w: profile %q of service %q", ca.ErrInvalid, h.Profile, h.System)
	}
	leaf, err := a.issuer.issue(ctx, order{
		profile: h.Profile, kind: ca.KindService, public: h.Public,
		subject: profile.Subject{CommonName: h.CommonName, Organization: a.organization},
		request: ca.Request{Agency: a.agency, System: h.System}, actor: houseActor(), origin: ca.Origin{Way: ca.WayHouse},
	})
	if err != nil {
		return ca.Certificate{}, err
	}
	row, err := a.row(ctx, ca.FormatSerial(leaf.SerialNumber))
	if err != nil {
		return ca.Certificate{}, fmt.Errorf("stepca: read back issued certificate: %w", err)
	}
	return row, nil
}
