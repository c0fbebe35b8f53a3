package life

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/yinxin-gov/yinxin/signer"
)

// askDomain keeps the digest of an ask from being one of anything else.
const askDomain = "yinxin/seal-ask/v1\n"

// asked is what a leader's signature is over, field by field.
type asked struct {
	ID            string                `json:"id"`
	Kind          signer.AskKind        `json:"kind"`
	Requester     string                `json:"requester"`
	Reason        string                `json:"reason"`
	At            time.Time             `json:"at"`
	Seal          string                `json:"seal"`
	Unit          string                `json:"unit"`
	Name          string                `json:"name"`
	SealKind      string                `json:"seal_kind"`
	Purpose       string                `json:"purpose"`
	Picture       string                `json:"picture_sm3"`
	PictureFiling string                `json:"picture_filing"`
	Drawn         bool                  `json:"drawn"`
	ValidFrom     time.Time             `json:"valid_from"`
	ValidUntil    time.Time             `json:"valid_until"`
	Authorisation *signer.Authorisation `json:"authorisation"` // that will be in force, nil: as it is
	Import        *imported             `json:"import,omitempty"`
}

// imported is what a leader signs beside it of a seal that was made elsewhere.
type imported struct {
	Seal          string               `json:"seal_sm3"`
	Certificate   string               `json:"certificate_sm3"`
	KeyID         string               `json:"key_id"`
	Custody       string               `json:"custody_class"`
	Accreditation signer.Accreditation `json:"accreditation"`
}

// ask completes a question about a seal: a number of its own and the SM3 of its
// content, one JSON object with its names in the order above.
func ask(e signer.Seal, q signer.Ask) (*signer.Ask, error) {
	if q.ID == "" {
		q.ID = e.ID + "/" + strconv.FormatInt(e.Revision+1, 10)
	}
	a := asked{
		ID: q.ID, Kind: q.Kind, Requester: q.Requester, Reason: q.Reason, At: q.At, Seal: e.ID, Unit: e.Unit, Name: e.Name, SealKind: e.Kind,
		Purpose: e.Purpose, Picture: e.Picture, PictureFiling: e.PictureFiling, Drawn: e.Drawn, ValidFrom: e.ValidFrom, ValidUntil: e.ValidUntil,
		Authorisation: q.Authorisation,
	}
	if q.Kind == signer.AskImport {
		a.Import = &imported{signer.Digest(e.DER), signer.Digest(e.CertDER), e.KeyID, e.CustodyClass, *e.Accreditation}
	}
	if q.Kind == signer.AskMake || q.Kind == signer.AskImport {
		wanted := e.Authorisation
		wanted.Since = time.Time{} // set by the answer
		a.Authorisation = &wanted
	}
	b := bytes.NewBufferString(askDomain)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return nil, fmt.Errorf("life: encoding a question: %w", err)
	}
	q.Digest = signer.Digest(b.Bytes())
	return &q, nil
}
