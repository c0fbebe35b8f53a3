package stepca

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/smallstep/certificates/authority/provisioner"
	casapi "github.com/smallstep/certificates/cas/apiv1"

	"github.com/yinxin-gov/yinxin/ca"
)

// errReplay: a one-time token was shown again.
var errReplay = errors.New("stepca: token already used")

// passage is what a verified token opens, on its way from its provisioner to the
// certificate service: smallstep carries the id of a provisioner there, a text,
// and nothing else.
type passage struct {
	Request string     // the approved one
	Once    ca.OneTime // what the certificate uses up
	Shown   string     `json:",omitempty"` // X5C: name of the certificate that signed the token
}

func (p passage) id() string {
	raw, err := json.Marshal(p)
	if err != nil {
		return "" // a year of five digits: basisOf refuses it
	}
	return string(raw)
}

// basis is on what a certificate is issued: a request, and the token or the
// certificate that was shown for it.
type basis struct {
	request string
	renews  string // serial of the certificate that is followed, or ""
	origin  ca.Origin
	once    ca.OneTime // zero where no token is used up: ACME, renewal
}

// basisOf reads what the wrappers of our provisioners say. Without a token to use
// up nothing is issued on one.
func basisOf(p *casapi.ProvisionerInfo) (basis, error) {
	if p.Type == provisioner.TypeACME.String() {
		return basis{request: p.ID, origin: ca.Origin{Way: ca.WayACME, Ref: p.Name}}, nil
	}
	var o passage
	if err := json.Unmarshal([]byte(p.ID), &o); err != nil || o.Once.ID == "" {
		return basis{}, fmt.Errorf("%w: not by a token of this authority", ca.ErrNotApproved)
	}
	b := basis{request: o.Request, once: o.Once, origin: ca.Origin{Way: ca.WayToken}}
	if p.Type == provisioner.TypeX5C.String() {
		b.origin = ca.Origin{Way: ca.WayX5C, Ref: o.Shown}
	}
	return b, nil
}

// shown is the serial of the certificate that signed the token, or "".
func (b basis) shown() string {
	if b.origin.Way != ca.WayX5C {
		return ""
	}
	_, serial, _ := strings.Cut(b.origin.Ref, ":")
	return serial
}
