package app

import (
	"context"
	"errors"
	"testing"

	"github.com/yinxin-gov/yinxin/internal/exchange"
	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Only a document with a seal that stands is sent. A signed file of any kind is
// none, however valid, nor is one that a system signed with its own certificate
// (X11-19a).
func TestX11_19a_OnlySealedDocumentsAreSent(t *testing.T) {
	for name, c := range map[string]struct {
		rep  verify.Report
		sent bool
	}{
		"sealed OFD":    {verify.Report{Format: "ofd", Verdict: verify.Valid, Signatures: []verify.Signature{{Kind: "sign"}, {Kind: "seal"}}}, true},
		"sealed PDF":    {verify.Report{Format: "pdf", Verdict: verify.Valid, Signatures: []verify.Signature{{Kind: "seal"}}}, true},
		"signed OFD":    {verify.Report{Format: "ofd", Verdict: verify.Valid, Signatures: []verify.Signature{{Kind: "sign"}}}, false},
		"signed PDF":    {verify.Report{Format: "pdf", Verdict: verify.Valid, Signatures: []verify.Signature{{Kind: "pdf"}}}, false},
		"altered OFD":   {verify.Report{Format: "ofd", Verdict: verify.Invalid}, false},
		"unsigned PDF":  {verify.Report{Format: "pdf", Verdict: verify.Indeterminate}, false},
		"CMS signature": {verify.Report{Format: "cms", Verdict: verify.Valid}, false},
	} {
		s := sealed{func(context.Context, []byte) (verify.Report, error) { return c.rep, nil }}
		if err := s.CheckSealed(context.Background(), nil); (err == nil) != c.sent || err != nil && !errors.Is(err, exchange.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
